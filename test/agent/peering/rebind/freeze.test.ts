import { groupByOwners } from '../../../../src/agent/peering/rebind/freeze';

const alone = () => null;
const owned = (...lists: number[][]) => lists.map((pids, request) => ({ request, pids }));
const groupsOf = (lists: number[][], programOf: (pid: number) => object | null = alone) =>
  groupByOwners(owned(...lists), programOf).map(({ pids, members }) => ({
    pids: [...pids].sort(),
    requests: members.map(({ request }) => request),
  }));

describe('groupByOwners', () => {
  test('parts what shares no process', () => {
    expect(groupsOf([[1], [2], [1], [2]])).toEqual([{ pids: [1], requests: [0, 2] }, { pids: [2], requests: [1, 3] }]);
  });

  test('joins what shares one, over any number of steps', () => {
    expect(groupsOf([[1], [2], [3], [2, 3], [4], [1, 2]])).toEqual([{ pids: [1, 2, 3], requests: [0, 1, 2, 3, 5] }, {
      pids: [4],
      requests: [4],
    }]);
  });

  test('joins the processes of a program', () => {
    const program = {};
    expect(groupsOf([[1], [2], [3]], (pid) => (pid === 2 ? null : program))).toEqual([{
      pids: [1, 3],
      requests: [0, 2],
    }, { pids: [2], requests: [1] }]);
  });

  test('keeps what nobody owns', () => {
    expect(groupsOf([[], [1], []])).toEqual([{ pids: [], requests: [0, 2] }, { pids: [1], requests: [1] }]);
  });

  test('ten thousand that all share one are one', () => {
    const lists = Array.from({ length: 10_000 }, (_, pid) => [pid + 1, 1]);
    expect(groupsOf(lists)).toHaveLength(1);
  });
});
