import { refuse } from '../../../src/kinds/look';
import { facts, pipeEnd, processWith } from '../../support/kinds/facts';

const READ = 0;
const WRITE = 1;
const POLLERR = 8;
const POLLHUP = 16;

const process = (innerPid: number, ...ends: [flags: number, events: number][]) =>
  processWith({
    innerPid,
    descriptors: ends.map(([flags, events], fd) => ({ fd, target: 'pipe:[12]', file: pipeEnd({ flags, events }) })),
  });

test.each([
  ['both ends in one process', [process(2, [READ, 0], [WRITE, 0])]],
  ['one in each of two', [process(2, [READ, 0]), process(3, [WRITE, 0])]],
  ['a reader whose writers are closed', [process(2, [READ, POLLHUP])]],
  ['a writer whose readers are closed', [process(2, [WRITE, POLLERR])]],
])('%s', (_name, processes) => {
  expect(refuse(facts({ processes }))).toEqual([]);
});

test.each([
  ['reader', READ],
  ['writer', WRITE],
])('a %s whose other end is elsewhere is refused', (_name, flags) => {
  expect(refuse(facts({ processes: [process(2, [flags, 0])] }))).toEqual([{
    code: 'E_DESCRIPTOR',
    message: 'process 2 (server) has pipe:[12] open, whose other end another program has (descriptor 0)',
  }]);
});
