import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { untilGone } from './counting.js';
import { giveWay, givingWay } from './give-way.js';
import type { Host } from './host.js';
import { cgroupsOf, type Lab } from './lab.js';
import type { Started } from './started.js';

/**
 * What each end says while numbers are said to go on. A line is at least a round on every connection; what was said
 * before may still be on its way here.
 */
const SOME = 3;

/** <kind>_server and <kind>_client: one process, a process for each connection, a thread for each connection. */
export type Kind = 'sockets' | 'proc' | 'thread';
export type Side = 'server' | 'client';

export interface NumbersOptions {
  readonly server: Kind;
  /** The kind of the client; the server's, if not said. */
  readonly client?: Kind;
  readonly connections: number;
  /** The client sends numbers too. */
  readonly both?: boolean;
  /** This end knows nothing of migrun. */
  readonly plain?: Side;
}

/** One of the two programs. */
interface End {
  host: Host;
  readonly program: Started;
  /** Its program id, where it is wrapped. */
  readonly id: string | undefined;
}

/** Two programs that send each other numbers at full speed (test/fixtures/numbers.h): each ends with 1 at the first that is not the next one of its connection. */
export class NumbersPair {
  constructor(
    private readonly lab: Lab,
    private readonly port: string,
    private readonly ends: Readonly<Record<Side, End>>,
  ) {}

  /** Throws where either end has ended. */
  async goesOn(): Promise<void> {
    await Promise.all(Object.values(this.ends).map(({ program }) => program.stdout.more(SOME)));
  }

  /** All connections go on. */
  async move(side: Side, to: Host): Promise<void> {
    const end = this.ends[side];
    await end.host.migrate(end.id!, to);
    end.host = to;
    giveWay(end.id!);
    await this.goesOn();
  }

  async moveThereAndBack(side: Side, there: Host): Promise<void> {
    const { host } = this.ends[side];
    await this.move(side, there);
    await this.move(side, host);
  }

  /** A client that comes now finds the server's listening socket where the server is, and somebody who accepts. */
  async takesAnotherClient(): Promise<void> {
    const { status, stdout, stderr } = await this.lab.hostC.run(['sockets_client', this.ends.server.host.name,
      this.port, '1']);
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/^1 connections: sent 0, received [1-9]/m) as string,
      stderr: '',
    });
  }

  /** The server ends its streams, then the client its own: each has all that the other one sent, and they end with 0. */
  async end(): Promise<void> {
    const { server, client } = this.ends;
    server.program.child.kill('SIGUSR1');
    for (const { program } of [server, client]) await program.succeeds();
    const [ofServer, ofClient] = [totals(server), totals(client)];
    expect(ofServer).toEqual({ connections: ofClient.connections, sent: ofClient.received, received: ofClient.sent });
    for (const { id } of [server, client]) if (id !== undefined) await untilGone(id);
  }

  /** Ends both after a test that failed: they take all the CPU, and would make the next one fail too. */
  async kill(): Promise<void> {
    for (const { id, program } of Object.values(this.ends)) {
      for (const cgroup of id === undefined ? [] : cgroupsOf(id))
        if (existsSync(cgroup)) writeFileSync(join(cgroup, 'cgroup.kill'), '1');
      await program.kill('SIGKILL');
    }
  }
}

function totals({ program }: End): { connections: string; sent: string; received: string } {
  const [, connections, sent, received] = /^(\d+) connections: sent (\d+), received (\d+)$/.exec(program.stdout.last)!;
  return { connections: connections!, sent: sent!, received: received! };
}

/** Two programs at full speed leave a busy machine little for the rest. */
const TIMEOUT_MS = 180_000;

/** Starts pairs, the server on hostA, the client on hostC; resolves when numbers go over every connection. */
export function useNumbers(lab: Lab): (options: NumbersOptions) => Promise<NumbersPair> {
  jest.setTimeout(TIMEOUT_MS);
  let pair: NumbersPair | undefined;
  let port = 4900;
  beforeAll(() => lab.startAgents());
  afterEach(() => pair?.kill());
  return async ({ server, client = server, connections, both = false, plain }) => {
    port++;
    const flags = both ? ['-b'] : [];
    const ends: Partial<Record<Side, End>> = {};
    pair = new NumbersPair(lab, String(port), ends as Record<Side, End>);
    ends.server = await startEnd(
      lab.hostA,
      [`${server}_server`, ...flags, String(port), String(connections)],
      plain !== 'server',
    );
    await ends.server.program.stderr.match(/^listening/);
    ends.client = await startEnd(lab.hostC, [`${client}_client`, ...flags, lab.hostA.name, String(port),
      String(connections)], plain !== 'client');
    await pair.goesOn();
    return pair;
  };
}

async function startEnd(host: Host, command: string[], isWrapped: boolean): Promise<End> {
  if (!isWrapped) return { host, program: host.start(['setsid', ...givingWay(command)]), id: undefined };
  const { id, console } = await host.startWrapped(givingWay(command));
  return { host, program: console, id };
}
