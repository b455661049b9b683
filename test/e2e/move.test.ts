import { endPair, expectCounting, type Pair, PORT, startPair } from '../support/e2e/counting.js';
import { onChange } from '../support/e2e/files.js';
import { cgroupRoot, cgroupsOf, useLab } from '../support/e2e/lab.js';

const lab = useLab();

describe('a pair that counts', () => {
  let pair: Pair;

  beforeAll(async () => {
    await lab.startAgents();
    pair = await startPair({ from: lab.hostA, to: lab.hostC });
  });

  afterAll(() => endPair(pair));

  test('goes on without a gap when the server moves', async () => {
    await lab.hostA.migrate(pair.server.id, lab.hostB);
    await expectCounting(pair);
    expect(await lab.hostB.list()).toMatchObject([{ id: pair.server.id, state: 'running', connections: 1 }]);
  });

  test('leaves nothing on the host that the server left', async () => {
    const { hostA } = lab;
    const { server } = pair;
    await onChange(cgroupRoot(), 'the old cgroup to go', () => cgroupsOf(server.id).length === 1);
    expect(hostA.processes().filter(({ command }) => command.startsWith('count_server'))).toEqual([]);
    // What is left is the agent's listening socket, and the console's line to where the program is.
    expect((await hostA.run(['ss', '-Htan', `( sport = :${PORT} or dport = :${PORT} )`])).stdout).toBe('');
    expect((await hostA.run(['ss', '-Htn', 'state', 'established'])).stdout.split('\n')).toHaveLength(1);
    expect((await hostA.run(['nft', 'list', 'ruleset'])).stdout).toBe('');
    expect((await hostA.run(['ls', '/run/migrun/programs', '/run/migrun/migrations'])).stdout).not.toMatch(
      /[0-9a-f]{8}/,
    );
    expect(await hostA.list()).toEqual([]);
  });

  test('goes on when the client moves', async () => {
    await lab.hostC.migrate(pair.clientId!, lab.hostA);
    await expectCounting(pair);
    expect(await lab.hostA.list()).toMatchObject([{ id: pair.clientId, state: 'running', connections: 1 }]);
  });

  test('goes on through ten moves in a row', async () => {
    for (let [from, to, moves] = [lab.hostB, lab.hostC, 0]; moves < 10; [from, to] = [to, from], moves++) {
      await from.migrate(pair.server.id, to);
      await expectCounting(pair);
    }
  });
});
