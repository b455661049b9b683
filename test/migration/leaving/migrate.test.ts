/** The preflight, once the program is found fit: what it has made ready goes, should it fail then. */
import pino from 'pino';
import { runSteps } from '../../../src/migration/driver';
import { type Migration, MIGRATION_STEPS } from '../../../src/migration/leaving/migrate';
import { examine, startCriu } from '../../../src/migration/leaving/preflight';
import { rehearseTransfer } from '../../../src/migration/leaving/rehearsal';
import { facts } from '../../support/kinds/facts';

jest.mock(
  '../../../src/migration/leaving/preflight',
  () => ({
    ...jest.requireActual<object>('../../../src/migration/leaving/preflight'),
    examine: jest.fn(),
    startCriu: jest.fn(),
  }),
);
jest.mock('../../../src/migration/leaving/rehearsal', () => ({ rehearseTransfer: jest.fn() }));

const [preflight] = MIGRATION_STEPS;

beforeEach(() => jest.mocked(examine).mockResolvedValue(facts()));

test.each([
  ['the target goes away over the transfer for practice', () =>
    jest.mocked(rehearseTransfer).mockRejectedValue(new Error('gone'))],
  ['CRIU does not start', () => {
    jest.mocked(rehearseTransfer).mockResolvedValue();
    jest.mocked(startCriu).mockRejectedValue(new Error('gone'));
  }],
])('the folder and the channel are closed where %s', async (_what, fail) => {
  fail();
  const migration = { target: { channel: {}, close: jest.fn() }, folder: '/nowhere', removeFolder: jest.fn() };
  const log = pino({ level: 'silent' });
  const run = runSteps([preflight!], migration as unknown as Migration, () => undefined, log);
  await expect(run).rejects.toThrow('gone');
  expect(migration.target.close).toHaveBeenCalled();
  expect(migration.removeFolder).toHaveBeenCalled();
});
