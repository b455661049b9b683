/** Leases: nothing is committed where one may have ended. */
import { LEASE_MS } from '../../src/migration/lease';
import { endLease, keepLease, requireLeases, suspendPeers } from '../../src/migration/peers';
import type { SourceContext } from '../../src/migration/source-context';

const CONNECTION = { local: { address: '10.77.0.1', port: 4884 }, remote: { address: '10.77.0.3', port: 40000 } };

let refuses = false;

/** The part of a context that leases need. */
function suspendedContext(): SourceContext {
  const ask = () =>
    refuses
      ? Promise.reject(new Error('the agent went away'))
      : Promise.resolve({
        type: 'suspended',
        peers: [{ connection: CONNECTION, status: 'ok', rcvNxt: 1, agent: '' }],
        tickets: [],
      });
  const context = {
    migration: '',
    group: '',
    round: 1,
    suspendings: 0,
    leaseMs: LEASE_MS,
    longestGap: 0,
    leased: false,
    suspended: new Map(),
    tools: { agent: { ask }, log: { warn: () => undefined } },
  };
  return context as unknown as SourceContext;
}

beforeEach(() => {
  refuses = false;
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

async function suspended(): Promise<SourceContext> {
  const context = suspendedContext();
  await suspendPeers(context, [CONNECTION]);
  keepLease(context);
  return context;
}

test('leases that are renewed let the commit pass, however long it took', async () => {
  const context = await suspended();
  await jest.advanceTimersByTimeAsync(5 * LEASE_MS);
  endLease(context);
  expect(() => requireLeases(context)).not.toThrow();
});

test('a peer that is still busy with the last round is not asked again', async () => {
  const context = await suspended();
  const rounds: number[] = [];
  let answer: () => void = () => undefined;
  context.tools.agent.ask = (message) => {
    rounds.push((message as { round: number }).round);
    return new Promise((resolve) => (answer = () => resolve({ type: 'suspended', peers: [], tickets: [] })));
  };
  await jest.advanceTimersByTimeAsync(0.9 * LEASE_MS);
  expect(rounds).toEqual([2]);
  answer();
  await jest.advanceTimersByTimeAsync(LEASE_MS / 3);
  expect(rounds).toEqual([2, 3]);
  endLease(context);
});

test('a renewal that failed keeps the commit from happening', async () => {
  const context = await suspended();
  refuses = true;
  await jest.advanceTimersByTimeAsync(LEASE_MS / 2);
  refuses = false;
  await jest.advanceTimersByTimeAsync(LEASE_MS);
  endLease(context);
  expect(() => requireLeases(context)).toThrow(expect.objectContaining({ code: 'E_LEASE' }));
});

test('a lease that nobody renewed in time does too', async () => {
  const context = await suspended();
  endLease(context);
  await jest.advanceTimersByTimeAsync(LEASE_MS + 1);
  expect(() => requireLeases(context)).toThrow(expect.objectContaining({ code: 'E_LEASE' }));
});

test('a lease that ended once does too, though every renewal since has come in time', async () => {
  const context = await suspended();
  endLease(context);
  await jest.advanceTimersByTimeAsync(LEASE_MS + 1);
  for (let renewal = 0; renewal < 3; renewal++) {
    await suspendPeers(context, [CONNECTION]);
    await jest.advanceTimersByTimeAsync(LEASE_MS / 3);
  }
  expect(() => requireLeases(context)).toThrow(expect.objectContaining({ code: 'E_LEASE' }));
});
