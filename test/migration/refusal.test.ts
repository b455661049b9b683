import { MigrunError } from '../../src/errors';
import { reasonOfError, reasonOfPeer, refusal } from '../../src/migration/refusal';

const connection = { local: { address: '10.0.0.1', port: 4884 }, remote: { address: '10.0.0.3', port: 50000 } };

describe('reasonOfPeer', () => {
  test.each([
    ['no-agent', 'E_PEER', /10\.0\.0\.3.*migrun agent/],
    ['no-socket', 'E_PEER', /knows no such connection/],
    ['no-owner', 'E_PEER', /no process holds its end/],
    ['busy', 'E_PEER_BUSY', /try again/],
    ['not-permitted', 'E_PEER', /does not permit/],
    ['a status of a later version', 'E_PEER', /a status of a later version/],
  ])('%s', (status, code, message) => {
    const reason = reasonOfPeer({ connection, status });
    expect(reason).toEqual({ code, message: expect.stringMatching(message) as string });
    expect(reason.message).toContain('10.0.0.1:4884 - 10.0.0.3:50000');
  });
});

test('an error becomes a reason with its hint', () => {
  expect(reasonOfError(new MigrunError('E_KEY', 'another key', { hint: 'copy it' }))).toEqual({ code: 'E_KEY', message: 'another key; copy it' });
  expect(reasonOfError(new MigrunError('E_KEY', 'another key'))).toEqual({ code: 'E_KEY', message: 'another key' });
});

describe('refusal', () => {
  test('of one reason is that reason', () => {
    expect(refusal([{ code: 'E_FILE', message: '/bin/x is not here' }])).toMatchObject({ code: 'E_FILE', message: '/bin/x is not here' });
  });

  test('of several lists them all, with their codes', () => {
    const error = refusal([{ code: 'E_FILE', message: '/bin/x is not here' }, { code: 'E_PORT', message: 'port 80 is taken' }]);
    expect(error.code).toBe('E_FILE');
    expect(error.message.split('\n')).toEqual(['2 reasons:', '  E_FILE: /bin/x is not here', '  E_PORT: port 80 is taken']);
  });
});
