import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync,
  writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/config';
import { CriuWorker } from '../../src/criu/worker';
import { compile } from '../support/compile';
import { threadStates } from '../support/native/target';
import { until } from '../support/until';

const { criu } = loadConfig();

let folder: string;
let images: string;
let keptLog: string;
const workers: CriuWorker[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-criu-'));
  images = join(folder, 'images');
  keptLog = join(folder, 'kept.log');
  mkdirSync(images);
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker.close();
  rmSync(folder, { recursive: true });
});

function start(path = criu): CriuWorker {
  const worker = new CriuWorker(path, images, keptLog);
  workers.push(worker);
  return worker;
}

/** Waits until setsid has become the command. */
async function becomes(child: ChildProcess, name: string): Promise<void> {
  await until(() => readFileSync(`/proc/${child.pid}/comm`, 'utf8').trim() === name);
}

/** A CRIU that is not one. */
function fakeCriu(script: string): string {
  const path = join(folder, 'fake-criu');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o700);
  return path;
}

describe('the CRIU of this host', () => {
  test('tells its version', async () => {
    expect(await start().version()).toMatch(/^[4-9]\.\d+(\.\d+)?$/);
  });

  test('that fails says why, in its own words, and its log is kept', async () => {
    const worker = start();
    const nobody = 0x3ffffe;
    const failure: unknown = await worker.dump({ pid: nobody }).catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'E_CRIU',
      message: expect.stringMatching(/^CRIU says: .*4194302/) as string,
      hint: expect.stringContaining(keptLog) as string,
    });
    expect(readFileSync(keptLog, 'utf8')).toMatch(/Error \(/);
  });

  test('dumps a process into the images folder, and ends it no more than asked', async () => {
    const sleeper = spawn('setsid', ['sleep', '1000'], { stdio: 'ignore' });
    try {
      await becomes(sleeper, 'sleep');
      const worker = start();
      await worker.dump({ pid: sleeper.pid!, leave_running: true });
      await until(() => !existsSync(`/proc/${worker.pid}`));
      expect(readdirSync(images)).toEqual(expect.arrayContaining(['inventory.img', `core-${sleeper.pid}.img`]));
      expect(sleeper.exitCode ?? sleeper.signalCode).toBeNull();
      expect(existsSync(keptLog)).toBe(false);
    } finally {
      sleeper.kill('SIGKILL');
    }
  });

  describe('with the images of a process that it killed', () => {
    let pid: number;
    beforeEach(async () => {
      const sleeper = spawn('setsid', ['sleep', '1000'], { stdio: 'ignore' });
      pid = sleeper.pid!;
      await becomes(sleeper, 'sleep');
      const exit = once(sleeper, 'exit');
      await start().dump({ pid, leave_running: false });
      await exit;
    });
    afterEach(() => {
      if (existsSync(`/proc/${pid}`)) process.kill(pid, 'SIGKILL');
    });

    test('it restores the process, and waits for us at each stage', async () => {
      let waited = false;
      const restored = await start().restore({}, async (stage) => {
        if (stage !== 'pre-resume') return;
        await new Promise((resolve) => setImmediate(resolve));
        waited = existsSync(`/proc/${pid}`);
      });
      expect(restored).toBe(pid);
      expect(waited).toBe(true);
      expect(readFileSync(`/proc/${pid}/comm`, 'utf8').trim()).toBe('sleep');
    });

    test('it leaves no breakpoint in the process, which would be looked at whenever that is scheduled', async () => {
      const slots = compile(['test/criu/breakpoint_slots.c']);
      const free = (task: number): number => Number(execFileSync(slots.path, [String(task)], { encoding: 'utf8' }));
      try {
        const all = free(process.pid);
        expect(all).toBeGreaterThan(0);
        await start().restore({}, () => undefined);
        expect(free(pid)).toBe(all);
        await start().dump({ pid, leave_running: true });
        expect(free(pid)).toBe(all);
      } finally {
        slots.remove();
      }
    });

    test('after a stage that we refuse nothing runs', async () => {
      const worker = start();
      const refused = worker.restore({}, (stage) => {
        if (stage === 'pre-resume') throw new Error('not here');
      });
      await expect(refused).rejects.toThrow('not here');
      expect(threadStates(pid)).toEqual(['t']);
      process.kill(pid, 'SIGKILL');
      await worker.close();
      await until(() => !existsSync(`/proc/${pid}`));
    });

    test('a stage that outlives it harms nobody', async () => {
      const worker = start();
      let reached: () => void = () => undefined;
      let finish: () => void = () => undefined;
      const stage = new Promise<void>((resolve) => (reached = resolve));
      const restoring = worker.restore({}, (name) => {
        if (name !== 'pre-resume') return;
        reached();
        return new Promise((resolve) => (finish = resolve));
      });
      const failed = expect(restoring).rejects.toMatchObject({ code: 'E_CRIU' });
      await stage;
      process.kill(worker.pid, 'SIGKILL');
      finish();
      await failed;
    });
  });

  test('restores from no images: what it was asked to do fails, and it says so', async () => {
    const stages: string[] = [];
    await expect(start().restore({}, (stage) => void stages.push(stage))).rejects.toMatchObject({
      code: 'E_CRIU',
      message: expect.stringContaining('CRIU says') as string,
    });
    expect(stages).not.toContain('pre-resume');
  });

  test('killed while it works is a failure, and not a wait', async () => {
    const worker = start();
    const asked = worker.restore({}, () => new Promise(() => undefined));
    process.kill(worker.pid, 'SIGKILL');
    await expect(asked).rejects.toMatchObject({ code: 'E_CRIU' });
  });

  test('that ended before it was asked is a failure too', async () => {
    const worker = start();
    const ended = worker.version();
    process.kill(worker.pid, 'SIGKILL');
    await ended.catch(() => undefined);
    await expect(worker.version()).rejects.toMatchObject({ code: 'E_CRIU' });
  });

  test('is gone when its worker is closed', async () => {
    const worker = start();
    await worker.close();
    expect(existsSync(`/proc/${worker.pid}`)).toBe(false);
  });
});

describe('without a CRIU that works', () => {
  test('there is none', () => {
    expect(() => start(join(folder, 'nowhere'))).toThrow(
      expect.objectContaining({ code: 'E_NO_CRIU', message: expect.stringContaining('nowhere') as string }) as Error,
    );
  });

  test('it cannot be executed', async () => {
    const path = join(folder, 'text');
    writeFileSync(path, 'no program');
    await expect(start(path).version()).rejects.toMatchObject({ code: 'E_CRIU' });
  });

  test('it ends at once, having said why', async () => {
    const path = fakeCriu('echo "(00.000) Error (criu/cr-service.c:1): this kernel is too old" >&2; exit 1');
    await expect(start(path).version()).rejects.toMatchObject({
      code: 'E_CRIU',
      message: 'CRIU says: this kernel is too old',
    });
  });

  test('it talks of something else', async () => {
    const path = fakeCriu(
      `exec "${process.execPath}" -e "require('net'); require('fs').writeSync(3, 'garbage'); setTimeout(() => {}, 60000)"`,
    );
    await expect(start(path).version()).rejects.toMatchObject({
      code: 'E_CRIU',
      message: expect.stringContaining('another format') as string,
    });
  });

  test('a warning that it goes on after is not taken for the reason', async () => {
    const path = fakeCriu(
      'echo "(00.0) Error (x.c:1): rlimit: Can\'t setup RLIMIT_NOFILE for self: 1" >&2; echo "(00.1) Error (y.c:2): the real one" >&2; exit 1',
    );
    await expect(start(path).version()).rejects.toMatchObject({ message: 'CRIU says: the real one' });
  });
});
