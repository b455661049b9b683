import { agentFindings } from '../../src/cli/commands/host';
import type { AgentFacts, LockFacts } from '../../src/protocol/control/index';
import { DROP_REASONS } from '../../src/protocol/inband';

const NONE = Object.fromEntries(DROP_REASONS.map((reason) => [reason, 0])) as AgentFacts['peering']['drops'];
const LOCK: LockFacts = {
  migration: 'a1'.repeat(16),
  group: 'b2'.repeat(16),
  agent: 'c3'.repeat(8),
  state: 'active',
  leftMs: 9_600,
  locked: 2,
  moved: 0,
};

const facts = (change: Partial<AgentFacts['peering']> = {}): AgentFacts => ({
  version: '0.1.0',
  port: 4807,
  peering: { agent: 'd4'.repeat(8), registered: 3, locks: [], drops: NONE, ...change },
});
const shown = (change: Partial<AgentFacts['peering']>) =>
  agentFindings(facts(change)).map(
    ({ state, what, is, todo }) => [...(state === 'ok' ? [] : [state]), what, is, ...(todo === undefined ? [] : [todo])]
  );

const AGENT = ['agent', '0.1.0, takes programs on port 4807'];

test('an agent shows the connections that other agents have named, and scripts see all of it', () => {
  expect(shown({})).toEqual([AGENT, ['peers', '3 connections to programs that can move, 0 locked']]);
  expect(agentFindings(facts())[0]!.facts).toEqual(facts());
});

test('what is locked is shown with the longest lease', () => {
  const followed = { ...LOCK, leftMs: 7_200_000, locked: 0, moved: 4 };
  const lapsed = { ...LOCK, state: 'lapsed' as const, leftMs: 0, locked: 0 };
  const locks = [LOCK, { ...LOCK, leftMs: 3_600_000, locked: 1 }, followed, lapsed];
  expect(shown({ registered: 1, locks })).toEqual([
    AGENT,
    ['peers', '1 connection to programs that can move, 3 locked, for 60 min yet'],
  ]);
});

test('messages that were not believed are counted by reason; of an agent that is too old, it says what to do', () => {
  expect(shown({ drops: { ...NONE, replayed: 4 } })[2]).toEqual(['ignored messages', '4 replayed']);
  expect(shown({ drops: { ...NONE, 'other version': 2, 'not authenticated': 1 } })[2]).toEqual([
    'note',
    'ignored messages',
    '2 other version, 1 not authenticated',
    'bring migrun on all hosts up to date; all hosts need the same cluster key',
  ]);
});
