/** Leases: nothing is committed where one may have ended. */
import { endLease, keepLease, LEASE_MS, requireLeases, suspendPeers } from '../../src/migration/peers';
import type { SourceContext } from '../../src/migration/source-context';

const CONNECTION = { local: { address: '10.77.0.1', port: 4884 }, remote: { address: '10.77.0.3', port: 40000 } };

let refuses = false;

/** The part of a context that leases need. */
function suspendedContext(): SourceContext {
  const ask = () =>
    refuses
      ? Promise.reject(new Error('the agent went away'))
      : Promise.resolve({ type: 'suspended', peers: [{ connection: CONNECTION, status: 'ok', rcvNxt: 1, agent: '' }], tickets: [] });
  const context = { migration: '', group: '', round: 1, longestGap: 0, leased: false, suspended: new Map(), tools: { agent: { ask }, log: { warn: () => undefined } } };
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
