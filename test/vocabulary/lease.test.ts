import { LEASE_MS, leaseFor, LONGEST_LEASE_MS } from '../../src/vocabulary/lease';

test.each([
  [0, LEASE_MS],
  [2_500, LEASE_MS],
  [5_000, 20_000],
  [1_000_000, LONGEST_LEASE_MS],
])('the lease of %i connections is %i ms', (connections, ms) => {
  expect(leaseFor(connections)).toBe(ms);
});
