import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { native } from '../../../src/native/index.js';

const failure = (code: string, syscall: string) => expect.objectContaining({ code, syscall }) as Error;

/** A shell that says its pid and waits for a line. */
function shell(script: string) {
  const child = spawn('sh', ['-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { child, line: async () => ((await lines.next()) as { value: string }).value };
}

const root = join(__dirname, '..', '..', '..');
const load = "const native = require('node-gyp-build')(process.cwd());";

/** Runs a script with the addon in a process of its own: one that is a subreaper, or ends with open watches. */
function run(script: string): string {
  return execFileSync(process.execPath, ['-e', `${load}${script}`], { encoding: 'utf8', cwd: root });
}

describe('pidfd', () => {
  test('takes a descriptor of another process: the same open file', () => {
    const fd = openSync('/dev/null', 'r');
    const pidfd = native.processOpen(process.pid);
    const taken = native.processTakeFd(pidfd, fd);
    expect(readlinkSync(`/proc/self/fd/${taken}`)).toBe('/dev/null');
    for (const each of [taken, pidfd, fd]) native.closeFd(each);
  });

  test('errors carry code and syscall', () => {
    expect(() => native.processOpen(0x3fffff)).toThrow(failure('ESRCH', 'pidfd_open'));
    expect(() => native.closeFd(-1)).toThrow(failure('EBADF', 'close'));
    const pidfd = native.processOpen(process.pid);
    expect(() => native.processTakeFd(pidfd, 999_999)).toThrow(failure('EBADF', 'pidfd_getfd'));
    native.closeFd(pidfd);
  });
});

describe('watchDeath', () => {
  test('calls once at the end and reaps nothing', async () => {
    const { child, line } = shell('echo ready; read line; exit 3');
    await line();
    const pidfd = native.processOpen(child.pid!);
    let calls = 0;
    const died = new Promise<void>((resolve) => {
      native.watchDeath(pidfd, () => {
        calls++;
        resolve();
      });
    });
    native.closeFd(pidfd);
    child.stdin.end('\n');
    expect(await once(child, 'exit')).toEqual([3, null]);
    await died;
    expect(calls).toBe(1);
  });

  test('several watches of one pidfd; a closed one stays silent, close may come twice and from the callback', async () => {
    const { child, line } = shell('echo ready; read line');
    await line();
    const pidfd = native.processOpen(child.pid!);
    let closedCalled = false;
    const closed = native.watchDeath(pidfd, () => (closedCalled = true));
    closed.close();
    closed.close();
    const died = [0, 1].map(() =>
      new Promise<void>((resolve) => {
        const watch = native.watchDeath(pidfd, () => {
          watch.close();
          resolve();
        });
      })
    );
    child.kill('SIGKILL');
    await Promise.all(died);
    expect(closedCalled).toBe(false);
    native.closeFd(pidfd);
  });

  test('what the callback throws is an uncaught exception', () => {
    const said = run(`
      process.on('uncaughtException', (error) => console.log('caught', error.message));
      const child = require('node:child_process').spawn('true');
      native.watchDeath(native.processOpen(child.pid), () => { throw new Error('mine'); });`);
    expect(said).toBe('caught mine\n');
  });
});

describe('watchExit', () => {
  test('refuses a process that is not a child', () => {
    const pidfd = native.processOpen(process.ppid);
    expect(() => native.watchExit(pidfd, () => undefined)).toThrow(failure('ECHILD', 'waitid'));
    native.closeFd(pidfd);
  });

  test.each([['exit 7', 7], ['kill -9 $$', 137], ['exit 0', 0]])(
    'reaps an adopted child and tells how it ended: %s',
    (end, code) => {
      const said = run(`
        const { spawnSync } = require('node:child_process');
        const [from, to] = native.pipePair();
        native.processBecomeSubreaper();
        // The shell ends at once; its child is an orphan, which comes to us.
        const script = 'sh -c "$0" <&3 >/dev/null & echo $!';
        const shell = spawnSync('sh', ['-c', script, 'read line; ${end}'], { stdio: ['ignore', 'pipe', 'inherit', from] });
        const pid = Number(shell.stdout);
        process.exitCode = 1;
        native.watchExit(native.processOpen(pid), (code) => {
          let gone = false;
          try { process.kill(pid, 0); } catch { gone = true; }
          console.log(code, gone);
          process.exitCode = 0;
        });
        require('node:fs').writeSync(to, '\\n');`);
      expect(said).toBe(`${code} true\n`);
    },
  );
});

describe('the end of an environment', () => {
  const watches = `
    native.watchDeath(native.processOpen(process.pid), () => {});
    native.openInband(4, () => {});
    const [one, other] = native.seqpacketPair();
    native.openMessageSocket(one, () => {}, () => {}).send(Buffer.from('x'));`;

  test('closes what is open in a process that ends', () => {
    expect(run(`${watches} console.log('before'); process.exit(0);`)).toBe('before\n');
  });

  test('closes what is open in a worker that is terminated', () => {
    const said = run(`
      const { Worker } = require('node:worker_threads');
      const code = ${JSON.stringify(watches)};
      const load = ${JSON.stringify(load)};
      const stay = 'require("node:worker_threads").parentPort.postMessage(1); setInterval(() => {}, 1e6)';
      const worker = new Worker(load + code + stay, { eval: true });
      worker.once('message', async () => {
        await worker.terminate();
        console.log('terminated');
      });`);
    expect(said).toBe('terminated\n');
  });

  test('an open watch keeps the event loop alive until it is closed', async () => {
    const child = spawn(process.execPath, ['-e', `
      ${load}
      const watch = native.watchDeath(native.processOpen(process.ppid), () => {});
      process.stdin.once('data', () => { watch.close(); process.stdin.destroy(); });
      process.stdin.unref();
      console.log('open');`], { stdio: ['pipe', 'pipe', 'inherit'], cwd: root });
    await once(child.stdout, 'data');
    expect(statSync(`/proc/${child.pid}`).isDirectory()).toBe(true);
    child.stdin.write('\n');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
