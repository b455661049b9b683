import { untilGone } from '../support/e2e/counting.js';
import { useLab } from '../support/e2e/lab.js';
import type { Text } from '../support/e2e/text.js';

const PORT = '4885';

const lab = useLab();

beforeAll(() => lab.startAgents());

/** Number of bytes and their hash, each way. Programs end with 1 at the first wrong byte. */
function hashesOf({ all }: Text): { sent: string; received: string } {
  const [, sent, received] = /^sent (\d+ [0-9a-f]{16})\nreceived (\d+ [0-9a-f]{16})$/m.exec(all)!;
  return { sent: sent!, received: received! };
}

test('a transfer at full speed in both directions arrives as it was sent while either end moves', async () => {
  const server = await lab.hostA.startWrapped(['bulk_server', PORT]);
  await server.console.stderr.match(/^listening/);
  const client = await lab.hostC.startWrapped(['bulk_client', 'hostA', PORT]);

  await lab.hostA.migrate(server.id, lab.hostB);
  await lab.hostC.migrate(client.id, lab.hostA);
  await lab.hostB.migrate(server.id, lab.hostC);

  // Each ends its own stream; both ends by then print what they sent and received.
  for (const { console } of [server, client]) console.child.kill('SIGUSR1');
  for (const { console } of [server, client]) await console.succeeds();
  const [ofServer, ofClient] = [hashesOf(server.console.stdout), hashesOf(client.console.stdout)];
  expect(ofServer).toEqual({ sent: ofClient.received, received: ofClient.sent });
  await Promise.all([server, client].map(({ id }) => untilGone(id)));
});
