/** The far ends of a program's stdin, stdout and stderr, as init keeps them for whoever supervises it (native/init/init.c). */
import { existsSync } from 'node:fs';
import { INIT_STDERR_READ, INIT_STDIN_WRITE, INIT_STDOUT_READ, type StdioEnds, takeFromInit } from './pod';

/** Of a program without a terminal. Init has no end of stdin any more once the end of the input was given. */
export function takePipes(initPid: number): StdioEnds {
  const stdinOpen = existsSync(`/proc/${initPid}/fd/${INIT_STDIN_WRITE}`);
  return {
    kind: 'pipes',
    stdin: stdinOpen ? takeFromInit(initPid, INIT_STDIN_WRITE) : undefined,
    stdout: takeFromInit(initPid, INIT_STDOUT_READ),
    stderr: takeFromInit(initPid, INIT_STDERR_READ),
  };
}
