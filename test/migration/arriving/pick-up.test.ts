import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ArrivingKinds } from '../../../src/kinds/arriving';
import type { MigrationTools } from '../../../src/kinds/program';
import { pickUp } from '../../../src/migration/arriving/pick-up';
import { STATE_FILE } from '../../../src/migration/state';
import { thawProgram } from '../../../src/program/pod';

jest.mock('../../../src/program/pod', () => ({ innerPids: () => new Map(), thawProgram: jest.fn() }));
jest.mock(
  '../../../src/migration/state',
  () => ({ STATE_FILE: 'state', decodeState: () => ({ kinds: {}, addresses: [], host: 'a' }) }),
);

const folder = mkdtempSync(join(tmpdir(), 'migrun-pick-up-'));
afterAll(() => rmSync(folder, { recursive: true }));

function fails(): never {
  throw new Error('it cannot be done');
}

test('a program is thawed whatever fails of what is done before', async () => {
  writeFileSync(join(folder, STATE_FILE), '');
  jest.spyOn(ArrivingKinds.prototype, 'pickUp').mockImplementation(fails);
  jest.spyOn(ArrivingKinds.prototype, 'giveUp').mockImplementation(fails);
  const arrival = { folder, cgroup: '/the/cgroup', registry: undefined };
  await expect(pickUp(arrival, {} as MigrationTools)).rejects.toThrow('it cannot be done');
  expect(thawProgram).toHaveBeenCalledWith('/the/cgroup', undefined);
});
