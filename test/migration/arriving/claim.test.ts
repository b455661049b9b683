/** What a restore asks the peers, by way of its host's agent, and what it makes of the answers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import type { Config } from '../../../src/config';
import type { MigrationTools } from '../../../src/kinds/program';
import { giveBack, judgeCheckpoint, renewClaim } from '../../../src/migration/arriving/claim';
import { Journal } from '../../../src/program/journal';
import type { AgentMessage, PeerStatus } from '../../../src/protocol/control';
import { modestArrival } from '../../support/migration/arrivals';

const CONNECTION = { local: { address: '127.0.0.2', port: 4884 }, remote: { address: '127.0.0.1', port: 40_000 } };
const CHECKPOINT = 'c'.repeat(32);

let folder: string;
let journal: Journal;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrun-claim-'));
  journal = new Journal(folder);
});

afterEach(() => rmSync(folder, { recursive: true }));

const arrivalOf = (again = false) =>
  modestArrival({
    checkpoint: { id: CHECKPOINT, tickets: [], peers: [{ connection: CONNECTION, sndUna: 1, rcvNxt: 2 }], again },
  });

/** An agent whose peers answer so. */
function answering(status: PeerStatus) {
  const asked: AgentMessage[] = [];
  const ask = (message: AgentMessage): Promise<AgentMessage> => {
    asked.push(message);
    return Promise.resolve({ type: 'held', peers: [{ connection: CONNECTION, status }] });
  };
  const tools: MigrationTools = { config: {} as Config, log: pino({ level: 'silent' }), agent: { ask, insist: ask } };
  return { tools, asked };
}

const ANSWERS = [
  { status: 'ok', code: null, again: null },
  { status: 'claimed', code: 'E_CHECKPOINT_USED', again: 'E_CHECKPOINT_USED' },
  { status: 'moved', code: 'E_CHECKPOINT_USED', again: 'E_CHECKPOINT_USED' },
  { status: 'no-socket', code: 'E_CHECKPOINT_OVER', again: null },
  { status: 'no-agent', code: 'E_CHECKPOINT_OVER', again: null },
] as const;

test.each(ANSWERS)(
  'a peer that says $status: $code, with --again $again; before anything is done, and before the commit',
  async ({ status, code, again }) => {
    const { tools } = answering(status);
    for (const [arrival, expected] of [[arrivalOf(), code], [arrivalOf(true), again]] as const) {
      expect((await judgeCheckpoint(arrival, tools, journal)).map((reason) => reason.code)).toEqual(
        expected === null ? [] : [expected],
      );
      const renewed = renewClaim(arrival, tools);
      await (expected === null ? renewed : expect(renewed).rejects.toMatchObject({ code: expected }));
    }
  },
);

test('what a restore claims it renews and gives back in its own name', async () => {
  const { tools, asked } = answering('ok');
  const arrival = arrivalOf();
  await judgeCheckpoint(arrival, tools, journal);
  await renewClaim(arrival, tools);
  await giveBack(arrival, tools);
  expect(asked.map((message) => message.type === 'claim' && [message.migration, message.restore, message.leaseMs > 0]))
    .toEqual([
      [CHECKPOINT, arrival.migration, true],
      [CHECKPOINT, arrival.migration, true],
      [CHECKPOINT, arrival.migration, false],
    ]);
});

test('a program that moves, and a checkpoint without connections, ask nobody', async () => {
  const { tools, asked } = answering('claimed');
  const alone = modestArrival({ checkpoint: { id: CHECKPOINT, tickets: [], peers: [], again: false } });
  for (const arrival of [modestArrival(), alone]) {
    expect(await judgeCheckpoint(arrival, tools, journal)).toEqual([]);
    await renewClaim(arrival, tools);
    await giveBack(arrival, tools);
  }
  expect(asked).toEqual([]);
});

test('what was restored on this host before is refused here', async () => {
  journal.decide(CHECKPOINT, 'committed');
  expect(await judgeCheckpoint(arrivalOf(), answering('ok').tools, journal)).toMatchObject([{
    code: 'E_CHECKPOINT_USED',
  }]);
  expect(await judgeCheckpoint(arrivalOf(true), answering('ok').tools, journal)).toEqual([]);
});
