import { readlinkSync } from 'node:fs';
import { native } from '../../src/native/index.js';

test('hastenBreakpoints: a perf event that is open until it is closed', () => {
  const fd = native.hastenBreakpoints() as number;
  expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe('anon_inode:[perf_event]');
  native.closeFd(fd);
});
