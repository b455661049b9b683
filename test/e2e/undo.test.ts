import { endPair, expectCounting, type Pair, startPair } from '../support/e2e/counting.js';
import { agentOf, killAll, migrateUntil } from '../support/e2e/crashing.js';
import { type Fault, FAULTY_CRIU, setFault } from '../support/e2e/faulty-criu.js';
import { onChange } from '../support/e2e/files.js';
import { type Host, refusalOf } from '../support/e2e/host.js';
import { cgroupRoot, cgroupsOf, useLab } from '../support/e2e/lab.js';

/** The steps that are done when the dump fails, or the target. */
const UNDONE = {
  source: ['lock', 'freeze', 'lock-peers', 'preflight'],
  target: ['save', 'lock', 'freeze', 'lock-peers', 'preflight'],
};

const lab = useLab();
const programsOn = (host: Host): string[] =>
  host.processes().map(({ command }) => command).filter((command) => command.startsWith('count_server'));

describe('a server that counts stays, or moves once', () => {
  let pair: Pair;

  beforeAll(async () => {
    await lab.hostA.startAgent();
    await lab.hostC.startAgent();
    await lab.hostB.startAgent(FAULTY_CRIU);
    pair = await startPair({ from: lab.hostA, to: lab.hostC, env: FAULTY_CRIU });
  });

  afterAll(() => endPair(pair));

  /** The program runs where it was, and only there. */
  async function expectUndone(): Promise<void> {
    await expectCounting(pair);
    expect(await lab.hostA.list()).toMatchObject([{ id: pair.server.id, state: 'running', connections: 1 }]);
    await onChange(cgroupRoot(), 'the copy to go', () => cgroupsOf(pair.server.id).length === 1);
    expect(programsOn(lab.hostB)).toEqual([]);
  }

  describe.each(
    [
      ['source', ['is killed while it dumps', 'cannot dump the memory']],
      ['target', ['is killed while it restores', 'fails when all is restored']],
    ] as const,
  )('a CRIU of the %s', (where, faults) => {
    test.each(faults)('that %s leaves the program as it was', async (what: Fault) => {
      const fault = setFault(where === 'source' ? lab.hostA : lab.hostB, what);
      const { code, undone } = await lab.hostA.refusal(pair.server.id, 'hostB');
      fault.mend();
      expect(code).toBe('E_CRIU');
      expect(undone).toEqual(UNDONE[where]);
      await expectUndone();
    });
  });

  test('an agent of the target that is killed before the images arrive leaves the program as it was', async () => {
    const { hostA, hostB } = lab;
    const held = await migrateUntil('before-transfer', {
      id: pair.server.id,
      from: hostA,
      to: hostB,
      anchor: pair.server.console,
      port: 4899,
    });
    killAll(agentOf(hostB));
    const { status } = await held.command.ended;
    expect(refusalOf({ status, stdout: held.command.stdout.all, stderr: held.command.stderr.all }).undone).toEqual(
      UNDONE.target,
    );
    await expectUndone();
    await hostB.startAgent(FAULTY_CRIU);
  });

  test('a program moves once at a time', async () => {
    const { hostA, hostB } = lab;
    const held = await migrateUntil('before-transfer', {
      id: pair.server.id,
      from: hostA,
      to: hostB,
      anchor: pair.server.console,
      port: 4900,
    });
    expect(await hostA.refusal(pair.server.id, 'hostC')).toMatchObject({ code: 'E_BUSY', undone: [] });
    held.release();
    await held.command.succeeds();
    await expectCounting(pair);
  });
});
