import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { compile } from '../support/compile.js';

// What needs control of each system call is in C: programs/sockets. Every case runs in a process of its own.
const cases = ['main', 'pair', 'pod', 'lock_cases', 'move_cases', 'half_closed_cases', 'socket_cases', 'udp_cases',
  'accept_queue_cases'];
const rooms = ['kernel', 'socket', 'lookup', 'tcp', 'udp', 'accept'];
const program = compile([...cases.map((name) => `test/native/programs/sockets/${name}.c`), ...rooms.map((name) =>
  `native/${name}/`
)], ['-fsanitize=address,undefined', '-fno-sanitize-recover=all']);
const names = execFileSync(program.path, ['list'], { encoding: 'utf8' }).trim().split('\n');

afterAll(() => program.remove());

test.each(names)('%s', async (name) => {
  await expect(promisify(execFile)(program.path, [name])).resolves.toBeDefined();
});
