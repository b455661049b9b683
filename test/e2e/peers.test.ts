import { endPair, expectCounting, startPair, startPlainPair } from '../support/e2e/counting.js';
import { useLab } from '../support/e2e/lab.js';

const lab = useLab();

beforeAll(() => lab.startAgents());

test('a peer that is not wrapped follows where its host has an agent', async () => {
  const pair = await startPlainPair({ from: lab.hostA, to: lab.hostC });
  await lab.hostA.migrate(pair.server.id, lab.hostB);
  await expectCounting(pair);
  await lab.hostB.migrate(pair.server.id, lab.hostA);
  await expectCounting(pair);
  await endPair(pair);
});

describe.each([
  ['IPv6', 'fd77::1'],
  ['IPv4 to a socket that listens on IPv6', '10.77.0.1'],
])('a connection over %s', (_, address) => {
  test('moves with its server, and back, and with its client', async () => {
    const pair = await startPair({ from: lab.hostA, to: lab.hostC, listen: '::', address });
    await lab.hostA.migrate(pair.server.id, lab.hostB);
    await expectCounting(pair);
    await lab.hostB.migrate(pair.server.id, lab.hostA);
    await expectCounting(pair);
    await lab.hostC.migrate(pair.clientId!, lab.hostB);
    await expectCounting(pair);
    await endPair(pair);
  });
});
