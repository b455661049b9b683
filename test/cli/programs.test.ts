/** What the command line makes of what an agent and a supervisor say; they are the test's. */
import type { Server } from 'node:net';
import { join } from 'node:path';
import { loadConfig } from '../../src/config';
import { MigrunError } from '../../src/errors';
import type { Channel } from '../../src/protocol/channel';
import { agentMessage, type Inspection, listenLocal, type MigrationReport, type ProgramSummary, serve,
  type SupervisorMessage, supervisorMessage } from '../../src/protocol/control';
import { Place } from '../support/cli/place';

let place: Place;
const servers: Server[] = [];
const channels: { destroy(): void }[] = [];
beforeEach(() => {
  place = new Place();
});
afterEach(() => {
  for (const channel of channels.splice(0)) channel.destroy();
  for (const server of servers.splice(0)) server.close();
  place.remove();
});

function summary(change: Partial<ProgramSummary> = {}): ProgramSummary {
  return {
    id: '1a2b3c4d',
    group: 'b'.repeat(32),
    command: ['./count_server', '4884'],
    pid: 4711,
    state: 'running',
    connections: 2,
    startedAt: Date.now() - 3 * 60_000,
    ...change,
  };
}

async function agentWith(...programs: ProgramSummary[]): Promise<void> {
  const { agentSocket } = loadConfig({ MIGRUN_RUN_DIR: place.run });
  servers.push(
    await listenLocal(agentSocket, agentMessage, (channel) => {
      channels.push(channel);
      void serve(channel, () => Promise.resolve({ type: 'listed', programs })).catch(() => undefined);
    }),
  );
}

type Answer = (message: SupervisorMessage, channel: Channel<SupervisorMessage>) => Promise<SupervisorMessage>;

async function supervisorOf(id: string, answer: Answer): Promise<void> {
  const { programsDir } = loadConfig({ MIGRUN_RUN_DIR: place.run });
  servers.push(
    await listenLocal(join(programsDir, `${id}.sock`), supervisorMessage, (channel) => {
      channels.push(channel);
      void serve(channel, ({ message }) => answer(message, channel)).catch(() => undefined);
    }),
  );
}

describe('ls', () => {
  test('shows a line for each program', async () => {
    await agentWith(
      summary(),
      summary({ id: 'ffffffff', state: 'migrating', connections: 0, startedAt: Date.now(), command: ['sleep'] }),
    );
    const { status, stdout, stderr } = await place.migrun(['ls']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [head, one, other] = stdout.split('\n').map((line) => line.split(/ {2,}/));
    expect(head).toEqual(['ID', 'STATE', 'PID', 'CONNECTIONS', 'RUNNING FOR', 'COMMAND']);
    expect(one).toEqual(['1a2b3c4d', 'running', '4711', '2', '3 min', './count_server 4884']);
    expect(other).toEqual(['ffffffff', 'migrating', '4711', '0', expect.stringMatching(/^\d+ s$/), 'sleep']);
  });

  test('with --json gives them whole', async () => {
    await agentWith(summary({ startedAt: 5 }));
    const { stdout } = await place.migrun(['ls', '--json']);
    expect(JSON.parse(stdout)).toEqual([summary({ startedAt: 5 })]);
  });

  test('of no programs is the head alone', async () => {
    await agentWith();
    expect((await place.migrun(['ls'])).stdout.split('\n').slice(1)).toEqual(['']);
    expect(JSON.parse((await place.migrun(['ls', '--json'])).stdout)).toEqual([]);
  });
});

describe('a program is meant by its id, or the start of it', () => {
  test('that none has', async () => {
    await agentWith(summary());
    for (const id of ['2', '', '.*', '1A2B3C4D', '../x']) {
      const { status, stderr } = await place.migrun(['inspect', id]);
      expect(status).toBe(1);
      expect(stderr).toMatch(/^migrun: E_NO_PROGRAM: [^\n]*migrun ls\n$/);
    }
  });

  test('that several have', async () => {
    await agentWith(summary(), summary({ id: '1a2bffff' }));
    const { status, stderr } = await place.migrun(['inspect', '1a2b']);
    expect(status).toBe(1);
    expect(stderr).toBe('migrun: E_NO_PROGRAM: 1a2b could be 1a2b3c4d or 1a2bffff; give more of the id\n');
  });

  test('whose supervisor does not answer', async () => {
    await agentWith(summary());
    expect((await place.migrun(['inspect', '1a'])).stderr).toContain('E_NOT_RUNNING: the supervisor of 1a2b3c4d');
  });
});

describe('inspect', () => {
  const connection = { local: { address: '10.0.0.1', port: 4884 }, remote: { address: '10.0.0.3', port: 50000 } };
  const inspection: Inspection = {
    program: summary(),
    processes: [{
      pid: 4711,
      innerPid: 2,
      name: 'count_server',
      executable: '/usr/bin/count_server',
      descriptors: [{ fd: 0, target: 'pipe:[12]' }],
    }],
    sockets: [
      {
        innerPid: 2,
        fd: 3,
        kind: 'tcp',
        state: 'LISTEN',
        local: { address: '::', port: 4884 },
        remote: { address: '::', port: 0 },
        peer: '',
      },
      { innerPid: 2, fd: 4, kind: 'tcp', state: 'ESTABLISHED', ...connection, peer: 'ok' },
      { innerPid: 2, fd: 5, kind: 'tcp', state: 'ESTABLISHED', ...connection, peer: 'no-agent' },
    ],
    reasons: [],
  };

  async function inspected(change: Partial<Inspection> = {}) {
    await agentWith(summary());
    await supervisorOf(
      '1a2b3c4d',
      () => Promise.resolve({ type: 'inspected', inspection: { ...inspection, ...change } }),
    );
  }

  test('shows processes, descriptors, sockets and peers', async () => {
    await inspected();
    const { status, stdout } = await place.migrun(['inspect', '1a2b']);
    expect(status).toBe(0);
    expect(stdout).toContain('program 1a2b3c4d, running: ./count_server 4884');
    expect(stdout).toMatch(/^process 2 \(count_server\), here 4711: \/usr\/bin\/count_server$/m);
    expect(stdout).toMatch(/^2 +3 +LISTEN +\[::\]:4884$/m);
    expect(stdout).toMatch(/^2 +4 +ESTABLISHED +10\.0\.0\.1:4884 +10\.0\.0\.3:50000 +can follow$/m);
    expect(stdout).toMatch(/no-agent$/m);
    expect(stdout).toMatch(/nothing of it keeps it from moving$/m);
  });

  test('shows every reason against a move', async () => {
    await inspected({
      reasons: [{ code: 'E_DEVICE', message: 'a device' }, { code: 'E_TRACED', message: 'a debugger' }],
    });
    const { stdout } = await place.migrun(['inspect', '1a2b']);
    expect(stdout).toMatch(/it cannot move:\n {2}E_DEVICE: a device\n {2}E_TRACED: a debugger\n$/);
  });

  test('with --json gives it whole', async () => {
    await inspected();
    expect(JSON.parse((await place.migrun(['inspect', '1a2b', '--json'])).stdout)).toMatchObject({
      sockets: inspection.sockets,
      processes: inspection.processes,
    });
  });
});

describe('migrate', () => {
  const report: MigrationReport = {
    migration: 'a'.repeat(32),
    program: '1a2b3c4d',
    target: 'hostB',
    phases: [{ name: 'preflight', ms: 12.34 }, { name: 'resume', ms: 1 }],
    connections: 1,
    bytes: 300_000,
    frozenMs: 45.67,
    lost: [],
  };

  test('says where to, shows the phases, and where the program is now', async () => {
    await agentWith(summary());
    const asked: SupervisorMessage[] = [];
    await supervisorOf('1a2b3c4d', (message) => {
      asked.push(message);
      return Promise.resolve({ type: 'migrated', report });
    });
    const { status, stdout, stderr } = await place.migrun(['migrate', '1a2b', '--to', 'hostB', '--port', '5000']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(asked).toEqual([{ type: 'migrate', to: 'hostB', port: 5000 }]);
    expect(stdout).toMatch(/^preflight +12\.3$/m);
    expect(stdout).toMatch(
      /^1a2b3c4d \(\.\/count_server 4884\) runs on hostB now, with 1 connection; 293 KiB moved, 45\.7 ms/m,
    );
  });

  test('names the connections that did not follow', async () => {
    const connection = { local: { address: '10.0.0.2', port: 4884 }, remote: { address: '10.0.0.3', port: 50000 } };
    await agentWith(summary());
    await supervisorOf(
      '1a2b3c4d',
      () => Promise.resolve({ type: 'migrated', report: { ...report, lost: [{ connection, status: 'no-agent' }] } }),
    );
    const { status, stdout } = await place.migrun(['migrate', '1a2b', '--to', 'hostB']);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^lost: 10\.0\.0\.2:4884 - 10\.0\.0\.3:50000: .*no-agent/m);
  });

  test('goes to MIGRUN_PORT where no port is given', async () => {
    await agentWith(summary());
    const asked: SupervisorMessage[] = [];
    await supervisorOf('1a2b3c4d', (message) => {
      asked.push(message);
      return Promise.resolve({ type: 'migrated', report });
    });
    await place.migrun(['migrate', '1a2b', '--to', 'hostB'], { env: { MIGRUN_PORT: '9001' } });
    expect(asked).toEqual([{ type: 'migrate', to: 'hostB', port: 9001 }]);
  });

  test('with --json prints the report alone', async () => {
    await agentWith(summary());
    await supervisorOf('1a2b3c4d', async (_message, channel) => {
      await channel.send({ type: 'progress', step: 'freeze', state: 'undone', ms: 1 });
      return { type: 'migrated', report };
    });
    const { status, stdout, stderr } = await place.migrun(['migrate', '1a2b', '--to', 'hostB', '--json']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject(report);
  });

  test('a report of any length is printed whole, however slowly it is read', async () => {
    const connection = { local: { address: '10.0.0.2', port: 4884 }, remote: { address: '10.0.0.3', port: 50000 } };
    const lost = Array.from({ length: 20_000 }, () => ({ connection, status: 'no-agent' as const }));
    await agentWith(summary());
    await supervisorOf('1a2b3c4d', () => Promise.resolve({ type: 'migrated', report: { ...report, lost } }));
    const { status, stdout } = await place.migrun(['migrate', '1a2b', '--to', 'hostB', '--json']);
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ lost: { length: lost.length } });
  });

  test('that fails tells what was undone, and the reason, and fails', async () => {
    await agentWith(summary());
    await supervisorOf('1a2b3c4d', async (_message, channel) => {
      await channel.send({ type: 'progress', step: 'freeze', state: 'undone', ms: 1.25 });
      throw new MigrunError('E_CRIU', 'CRIU says: no', { hint: 'its log: /x' });
    });
    const { status, stdout, stderr } = await place.migrun(['migrate', '1a2b', '--to', 'hostB']);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toMatch(/^ {2}undone: freeze \(1\.\d ms\)\nmigrun: E_CRIU: CRIU says: no; its log: \/x\n$/);
  });

  test('whose supervisor dies on the way fails', async () => {
    await agentWith(summary());
    await supervisorOf('1a2b3c4d', (_message, channel) => {
      channel.destroy();
      return Promise.reject(new Error('gone'));
    });
    const { status, stderr } = await place.migrun(['migrate', '1a2b', '--to', 'hostB']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^migrun: E_CHANNEL_CLOSED: [^\n]*\n$/);
  });
});
