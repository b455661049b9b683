import { onChange } from './files.js';
import type { Host, WrappedProgram } from './host.js';
import { cgroupRoot, cgroupsOf } from './lab.js';
import type { Started } from './started.js';

export const PORT = '4884';
const PER_SECOND = '500';
/** What the pair exchanges while something is said to go on. */
const SOME = 100;

/**
 * count_server and count_client. The client ends with 1 at the first number that is not the next one, the server when
 * its connection breaks: numbers that go on coming have no gap.
 */
export interface Pair {
  readonly server: WrappedProgram;
  readonly client: Started;
  /** The client's program id, where it is wrapped. */
  readonly clientId: string | undefined;
}

export interface PairOptions {
  readonly from: Host;
  readonly to: Host;
  /** What the server listens on. */
  readonly listen?: string;
  /** What the client connects to. */
  readonly address?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** The server wrapped on `from`, the client wrapped on `to`; resolves when numbers arrive. */
export async function startPair(options: PairOptions): Promise<Pair> {
  const server = await startServer(options);
  const client = await options.to.startWrapped(clientCommand(options));
  await client.console.stdout.more(1);
  return { server, client: client.console, clientId: client.id };
}

/** Does the same as startPair, with a client that knows nothing of migrun. */
export async function startPlainPair(options: PairOptions): Promise<Pair> {
  const server = await startServer(options);
  const client = options.to.start(clientCommand(options));
  await client.stdout.more(1);
  return { server, client, clientId: undefined };
}

async function startServer({ from, listen = '0.0.0.0', env }: PairOptions): Promise<WrappedProgram> {
  const server = await from.startWrapped(['count_server', '-a', listen, PORT, PER_SECOND], env);
  await server.console.stderr.match(/^listening/);
  return server;
}

function clientCommand({ from, address = from.name }: PairOptions): string[] {
  return ['count_client', address, PORT];
}

/** Throws where either end has ended. */
export async function expectCounting({ server, client }: Pair): Promise<void> {
  await Promise.all([server.console, client].map(({ stdout }) => stdout.more(SOME)));
}

/** Ends the client; then the server ends too, by an end or, where numbers were left unread, a reset. Both must have printed every number once and in order. */
export async function endPair({ server, client, clientId }: Pair): Promise<void> {
  const ended = await client.kill('SIGTERM');
  expect(ended).toEqual(
    clientId === undefined ? { status: null, signal: 'SIGTERM' } : { status: 128 + 15, signal: null },
  );
  await server.console.ended;
  for (const { stdout } of [server.console, client]) {
    const numbers = stdout.lines.map(Number);
    expect(numbers).toEqual(numbers.map((_, index) => index));
  }
  for (const id of [server.id, ...(clientId === undefined ? [] : [clientId])]) await untilGone(id);
}

/** Resolves when the program has no cgroup, which means no process, on any host. */
export function untilGone(id: string): Promise<void> {
  return onChange(cgroupRoot(), `${id} to go`, () => cgroupsOf(id).length === 0);
}
