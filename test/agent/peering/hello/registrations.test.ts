import { type Registration, Registrations } from '../../../../src/agent/peering/hello/registrations';
import type { Native } from '../../../../src/native/index';
import type { Connection } from '../../../../src/vocabulary/endpoint';

const connection = (port: number): Connection => ({
  local: { address: '10.77.0.3', port },
  remote: { address: '10.77.0.1', port: 4884 },
});
const registration = (port: number, change: Partial<Registration> = {}): Registration => ({
  agent: 'a1'.repeat(8),
  group: 'b2'.repeat(16),
  token: port.toString(16).padStart(16, '0'),
  connection: connection(port),
  location: { pid: 1, fd: 3 },
  ...change,
});

/** On a host with these connections alone. */
function registrations(alive: readonly number[] = []): Registrations {
  const tcpConnections = () => alive.map((port) => ({ inode: port, state: 1, connection: connection(port) }));
  return new Registrations({ native: { diagTcpConnections: tcpConnections } as Partial<Native> as Native });
}

test('what is told twice can be removed by whoever has the first', () => {
  const known = registrations();
  const first = registration(1);
  known.add(first);
  known.add(registration(1, { location: { pid: 2, fd: 4 } }));
  expect(first.location).toEqual({ pid: 2, fd: 4 });
  known.remove(first);
  expect(known.size).toBe(0);
});

test('a connection belongs to the program that it was last told of', () => {
  const known = registrations();
  const [first, second] = [registration(1), registration(1, { group: 'c3'.repeat(16) })];
  known.add(first);
  known.add(second);
  expect(known.of(first.agent, first.group)).toEqual([]);
  expect(known.find(connection(1))).toBe(second);
});

test('connections that have ended are forgotten before they are more than those that live', () => {
  const alive = Array.from({ length: 6_000 }, (_, index) => index + 1);
  const known = registrations(alive);
  for (const port of alive) known.add(registration(port));
  for (let port = 20_000; port < 60_000; port++) known.add(registration(port));
  expect(known.size).toBeLessThan(13_000);
  expect(alive.every((port) => known.find(connection(port)) !== undefined)).toBe(true);
});
