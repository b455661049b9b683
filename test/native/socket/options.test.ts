import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, Socket } from 'node:net';
import { native, type SocketOption } from '../../../src/native/index.js';

const TCP = 6;
const TCP_NODELAY = 1;
const KEEPIDLE: SocketOption = { level: TCP, name: 4, value: number(77) };
const CONGESTION: SocketOption = { level: TCP, name: 13, value: Buffer.from('nowhere\0') };
const SO_BINDTODEVICE: SocketOption = { level: 1, name: 25, value: Buffer.from('nowhere0\0') };
const STREAM = [2, 1, TCP] as const;

let server: Server;
let client: Socket;

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = new Socket().connect((server.address() as AddressInfo).port, '127.0.0.1');
  await once(client, 'connect');
});

afterEach(async () => {
  client.destroy();
  server.close();
  await once(server, 'close');
});

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

const fdOf = (socket: object): number => (socket as { _handle: { fd: number } })._handle.fd;
const optionsOf = (socket: object): SocketOption[] => native.socketReadOptions([fdOf(socket)])[0]!;
const find = (options: SocketOption[], level: number, name: number): Buffer | undefined =>
  options.find((one) => one.level === level && one.name === name)?.value;

test('what was set is read, what was not is not', () => {
  client.setNoDelay(true);
  expect(find(optionsOf(client), TCP, TCP_NODELAY)).toEqual(number(1));
  client.setNoDelay(false);
  expect(find(optionsOf(client), TCP, TCP_NODELAY)).toBeUndefined();
});

test('what was read from one socket can be given to another', () => {
  native.socketWriteOptions([fdOf(client)], [[KEEPIDLE]], false);
  native.socketWriteOptions([fdOf(server)], [optionsOf(client)], true);
  expect(find(optionsOf(server), TCP, KEEPIDLE.name)).toEqual(number(77));
});

test('early, whatever else there is becomes as on a new socket', () => {
  native.socketWriteOptions([fdOf(server)], [[KEEPIDLE]], false);
  native.socketWriteOptions([fdOf(server)], [[]], false);
  expect(find(optionsOf(server), TCP, KEEPIDLE.name)).toEqual(number(77));
  native.socketWriteOptions([fdOf(server)], [[]], true);
  expect(find(optionsOf(server), TCP, KEEPIDLE.name)).toBeUndefined();
});

test('one that this kernel does not take is named', () => {
  expect(native.socketRefusedOption(...STREAM, [KEEPIDLE])).toBeNull();
  expect(native.socketRefusedOption(...STREAM, [KEEPIDLE, CONGESTION])).toBe('TCP_CONGESTION');
  expect(native.socketRefusedOption(...STREAM, [SO_BINDTODEVICE])).toBe('SO_BINDTODEVICE');
  expect(() => native.socketWriteOptions([fdOf(client)], [[CONGESTION]], false)).toThrow(
    expect.objectContaining({ code: 'ENOENT', syscall: 'TCP_CONGESTION' }) as Error,
  );
});

test('only options that programs set are written', () => {
  const repair = { level: TCP, name: 19, value: number(1) };
  expect(() => native.socketWriteOptions([fdOf(client)], [[repair]], false)).toThrow(
    expect.objectContaining({ code: 'EINVAL' }) as Error,
  );
  expect(() => native.socketWriteOptions([fdOf(client)], [[{ ...KEEPIDLE, value: Buffer.alloc(65) }]], false)).toThrow(
    'too long',
  );
});
