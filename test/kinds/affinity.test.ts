import { affinity, parseCpuList } from '../../src/kinds/affinity';
import { facts, HOST, judged } from '../support/kinds/facts';

const thread = (innerTid: number, ...cpus: number[]) => ({ innerPid: 2, innerTid, cpus });

test.each([['0', [0]], ['0-3', [0, 1, 2, 3]], ['0-1,8,10-11', [0, 1, 8, 10, 11]], ['', []]])(
  'a list of CPUs as the kernel prints it: %j',
  (text, cpus) => {
    expect(parseCpuList(text)).toEqual(cpus);
  },
);

test('a thread that may use every CPU of the host is not pinned', () => {
  const process = { ...facts().processes[0]!, pid: globalThis.process.pid, innerPid: 2 };
  expect(affinity.look!({ ...facts(), processes: [process] })).toEqual([]);
});

test('of threads with the same CPUs one is told', () => {
  const seen = [thread(2, 0), thread(3, 0), thread(4, 0, 1)];
  expect(affinity.needs!.of(facts(), seen, HOST)).toEqual([thread(3, 0), thread(4, 0, 1)]);
});

describe('the target', () => {
  test('takes a thread of whose CPUs it has some', async () => {
    expect(await judged(affinity, [thread(2, 0, 60_000)])).toEqual([]);
  });

  test('names a thread of whose CPUs it has none', async () => {
    expect(await judged(affinity, [thread(7, 60_000, 60_001)])).toEqual([{
      code: 'E_CPU',
      message: expect.stringContaining('thread 7 of process 2 may use CPUs 60000, 60001 alone') as string,
    }]);
  });
});
