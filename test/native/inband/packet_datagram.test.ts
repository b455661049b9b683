import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { type InbandEndpoint, type InbandSegment, native } from '../../../src/native/index.js';
import { compile } from '../../support/compile.js';
import { until } from '../../support/until.js';

const program = compile(['test/native/programs/fuzz_inband_datagram.c', 'native/inband/', 'native/socket/address.c',
  'native/socket/headers.c'], ['-fsanitize=address,undefined', '-fno-sanitize-recover=all']);

afterAll(() => program.remove());

describe('inband_parse_datagram', () => {
  test.each(['0x9e3779b97f4a7c15', '1', '4884'])('reads nothing outside of a mutated packet (seed %s)', (seed) => {
    const said = execFileSync(program.path, ['300000', seed], { encoding: 'latin1' });
    const accepted = Number(/(\d+) accepted/.exec(said)?.[1]);
    expect(accepted).toBeGreaterThan(30_000);
    expect(accepted).toBeLessThan(270_000);
  });
});

describe.each(
  [
    ['IPv4', 4, 'udp4', '127.0.0.1'],
    ['IPv6', 6, 'udp6', '::1'],
  ] as const,
)('on the addresses of a UDP conversation over %s', (_name, family, type, address) => {
  const arrived: InbandSegment[] = [];
  let endpoint: InbandEndpoint;
  let socket: Socket;
  const heard: string[] = [];

  beforeAll(async () => {
    endpoint = native.openInband(family, (segment) => arrived.push(segment), 'udp');
    socket = createSocket(type).on('message', (message) => heard.push(message.toString()));
    await new Promise<void>((resolve) => socket.bind(0, address, resolve));
  });

  afterAll(() => {
    endpoint.close();
    socket.close();
  });

  test.each([[0, 0], [2, 40], [34, 1300]])(
    'a message (%i and %i bytes) arrives as it was sent, and the socket does not see it',
    async (option, body) => {
      const end = { address, port: socket.address().port };
      const segment = {
        source: { address, port: 7 },
        destination: end,
        seq: 0,
        ack: 0,
        option: randomBytes(option),
        body: randomBytes(body),
      };
      endpoint.send(segment);
      await until(() => arrived.length > 0);
      expect(arrived.splice(0)).toEqual([segment]);
      const other = createSocket(type);
      await new Promise<void>((resolve) => other.send('MGSK of a program', end.port, address, () => resolve()));
      await until(() => heard.length > 0);
      other.close();
      expect(heard.splice(0)).toEqual(['MGSK of a program']);
      expect(arrived).toEqual([]);
    },
  );
});
