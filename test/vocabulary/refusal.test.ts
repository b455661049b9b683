import { MigrunError } from '../../src/errors';
import { reasonOfError, reasonsOfPeers, refusal } from '../../src/vocabulary/refusal';

const connection = { local: { address: '10.0.0.1', port: 4884 }, remote: { address: '10.0.0.3', port: 50000 } };

describe('reasonsOfPeers', () => {
  test.each([
    ['no-agent', 'E_PEER', /10\.0\.0\.3.*migrun agent/],
    ['no-socket', 'E_PEER', /knows no such connection/],
    ['no-owner', 'E_PEER', /no process has its end open/],
    ['busy', 'E_PEER_BUSY', /try again/],
    ['not-permitted', 'E_PEER', /does not permit/],
    ['a status of a later version', 'E_PEER', /a status of a later version/],
  ])('%s', (status, code, message) => {
    const reasons = reasonsOfPeers([{ connection, status }]);
    expect(reasons).toEqual([{ code, message: expect.stringMatching(message) as string }]);
    expect(reasons[0]!.message).toContain('10.0.0.1:4884 - 10.0.0.3:50000 cannot');
  });

  test('of many to one host is one for each cause', () => {
    const peers = Array.from(
      { length: 10_000 },
      (_, port) => ({
        connection: { ...connection, remote: { address: '10.0.0.3', port } },
        status: port < 3 ? 'busy' : 'no-agent',
      }),
    );
    const other = { connection: { ...connection, remote: { address: '10.0.0.4', port: 1 } }, status: 'no-agent' };
    expect(reasonsOfPeers([...peers, other]).map(({ code, message }) => `${code} ${message}`)).toEqual([
      expect.stringMatching(/^E_PEER_BUSY .* - 10\.0\.0\.3:0 and 2 more/),
      expect.stringMatching(/^E_PEER .* - 10\.0\.0\.3:3 and 9996 more/),
      expect.stringMatching(/^E_PEER .* - 10\.0\.0\.4:1 cannot/),
    ]);
  });
});

test('an error becomes a reason with its hint', () => {
  expect(reasonOfError(new MigrunError('E_KEY', 'another key', { hint: 'copy it' }))).toEqual({
    code: 'E_KEY',
    message: 'another key; copy it',
  });
  expect(reasonOfError(new MigrunError('E_KEY', 'another key'))).toEqual({ code: 'E_KEY', message: 'another key' });
});

describe('refusal', () => {
  test('of one reason is that reason', () => {
    expect(refusal([{ code: 'E_FILE', message: '/bin/x is not here' }])).toMatchObject({
      code: 'E_FILE',
      message: '/bin/x is not here',
    });
  });

  test('of several lists them all, with their codes', () => {
    const error = refusal([{ code: 'E_FILE', message: '/bin/x is not here' }, {
      code: 'E_PORT',
      message: 'port 80 is taken',
    }]);
    expect(error.code).toBe('E_FILE');
    expect(error.message.split('\n')).toEqual(['2 reasons:', '  E_FILE: /bin/x is not here',
      '  E_PORT: port 80 is taken']);
  });

  test('of many with one code lists the first ten', () => {
    const error = refusal([
      ...Array.from({ length: 10_000 }, (_, fd) => ({ code: 'E_DEVICE', message: `descriptor ${fd}` })),
      { code: 'E_PORT', message: 'port 80 is taken' },
    ]);
    const lines = error.message.split('\n');
    expect(lines).toHaveLength(13);
    expect(lines.slice(-3)).toEqual(['  E_DEVICE: descriptor 9', '  E_PORT: port 80 is taken',
      '  E_DEVICE: and 9990 more']);
  });
});
