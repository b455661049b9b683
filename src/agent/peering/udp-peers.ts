/**
 * The answering side for UDP: sockets of this host that talk to programs elsewhere.
 *
 * There is nothing to hold: what is sent to a program on its way is lost, as datagrams are. A socket that is connected to
 * the program is connected again when it has moved, while its own program runs (test/kernel/udp_reconnect_under_reader.c).
 * One that is not connected answers to where it is asked from, so it follows by itself.
 */

import type { Logger } from 'pino';
import type { DiagSocket, LookAround, Native, SocketOwner } from '../../native/contract';
import { BoundedMap, type Status } from '../../protocol/inband';
import { type Connection, connectionName, type Endpoint, endpointOfFamily,
  endpointText } from '../../vocabulary/endpoint';
import { TCP_ESTABLISHED } from '../../vocabulary/sockets';
import type { LocalPrograms } from './types';

const MAX_GROUPS = 1024;
const MAX_IN_GROUP = 10_000;

interface Registration {
  /** As this host has it. */
  readonly connection: Connection;
  /** Where its other end is now. */
  moved: Endpoint | null;
}

/** A conversation that an agent says is of its program. */
interface Claim {
  readonly agent: string;
  readonly group: string;
  readonly token: string;
  readonly connection: Connection;
}

export class UdpPeers {
  /** By agent and group; then by token. */
  private readonly groups = new BoundedMap<string, Map<string, Registration>>(MAX_GROUPS);
  /** What the last look around found. */
  private seen: LookAround | null = null;

  constructor(
    private readonly native: Native,
    private readonly programs: LocalPrograms,
    private readonly log: Logger,
  ) {}

  /** At most one look at all processes, for any number of them. */
  register(claims: readonly Claim[]): Status[] {
    const statuses = this.statusesOf(claims.map(({ connection }) => connection));
    return claims.map((claim, index) => (statuses[index] === 'ok' ? this.add(claim) : statuses[index]!));
  }

  has(agent: string, group: string): boolean {
    return this.of(agent, group).size > 0;
  }

  /** What a SUSPEND is answered with. */
  statuses(agent: string, group: string): { token: string; status: Status }[] {
    const waiting = [...this.of(agent, group)].filter(([, { moved }]) => moved === null);
    const statuses = this.statusesOf(waiting.map(([, { connection }]) => connection));
    return waiting.map(([token], index) => ({ token, status: statuses[index]! }));
  }

  /** A RESUME; done once, whoever asks how often. Of tokens that are registered, by token. */
  follow(agent: string, group: string, entries: readonly { token: string; remote: Endpoint }[]): Map<string, Status> {
    const registrations = this.of(agent, group);
    const known = entries.flatMap(({ token, remote }) => {
      const registration = registrations.get(token);
      return registration === undefined ? [] : [{ token, remote, registration }];
    });
    if (known.some(({ registration }) => registration.moved === null)) {
      const byName = byConnection(this.native.diagUdpSockets().filter(isConnected));
      const socketsOf = ({ connection }: Registration): number[] => byName.get(connectionName(connection)) ?? [];
      const owners = this.ownersOf(known.flatMap(({ registration }) => socketsOf(registration)));
      for (const { registration, remote } of known) {
        if (registration.moved !== null) continue;
        const inodes = new Set(socketsOf(registration));
        if (this.reconnect(owners.filter(({ inode }) => inodes.has(inode)), remote)) registration.moved = remote;
      }
    }
    return new Map(
      known.map(
        ({ token, remote, registration: { moved } }) => [token,
          moved !== null && endpointText(moved) === endpointText(remote) ? 'ok' : 'failed'],
      ),
    );
  }

  private add({ agent, group, token, connection }: Claim): Status {
    const registrations = this.of(agent, group);
    if (registrations.size >= MAX_IN_GROUP && !registrations.has(token)) return 'failed';
    this.groups.set(groupName(agent, group), registrations.set(token, { connection, moved: null }));
    return 'ok';
  }

  private of(agent: string, group: string): Map<string, Registration> {
    return this.groups.get(groupName(agent, group)) ?? new Map<string, Registration>();
  }

  /** busy: a program that has such a socket is migrating itself. No socket at all is nothing that could not follow. */
  private statusesOf(connections: readonly Connection[]): Status[] {
    if (connections.length === 0) return [];
    const sockets = new Map<number, DiagSocket[]>();
    for (const socket of this.native.diagUdpSockets()) {
      const { port } = socket.connection.local;
      sockets.set(port, [...(sockets.get(port) ?? []), socket]);
    }
    const inodes = connections.map((connection) =>
      (sockets.get(connection.local.port) ?? []).filter((socket) => isEndOf(socket.connection, connection)).map(
        ({ inode }) => inode,
      )
    );
    const busy = new Set(
      this.ownersOf(inodes.flat()).filter(({ pid }) => this.programs.isMigrating(pid)).map(({ inode }) => inode),
    );
    return inodes.map((some) => (some.some((inode) => busy.has(inode)) ? 'busy' : 'ok'));
  }

  /** One descriptor for each socket; the others are of the same. */
  private reconnect(owners: readonly SocketOwner[], remote: Endpoint): boolean {
    const descriptors = [...new Map(owners.map((owner) => [owner.inode, owner])).values()];
    return descriptors.every((owner) => this.reconnectOne(owner, remote));
  }

  private reconnectOne({ pid, fd }: SocketOwner, remote: Endpoint): boolean {
    let pidfd = -1;
    let own = -1;
    try {
      pidfd = this.native.processOpen(pid);
      own = this.native.processTakeFd(pidfd, fd);
      this.native.udpReconnect(own, endpointOfFamily(remote, this.native.socketDescribe(own).family));
      return true;
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === 'ESRCH' || code === 'EBADF') return true; // it has ended, or closed it
      this.log.warn({ err: error, remote }, 'a UDP peer could not follow');
      return false;
    } finally {
      for (const one of [own, pidfd]) if (one >= 0) this.native.closeFd(one);
    }
  }

  /** Without a look at all processes where the last one found them. */
  private ownersOf(inodes: readonly number[]): SocketOwner[] {
    if (inodes.length === 0) return [];
    const found = new Set(this.seen?.owners(inodes).map(({ inode }) => inode));
    if (this.seen === null || inodes.some((inode) => !found.has(inode))) this.seen = this.native.ownersLookAround();
    return this.seen.owners(inodes).filter(({ pid }) => pid !== process.pid);
  }
}

/** The kernel gives a connected UDP socket the state of a connected TCP socket. */
function isConnected({ state }: DiagSocket): boolean {
  return state === TCP_ESTABLISHED;
}

function byConnection(sockets: readonly DiagSocket[]): Map<string, number[]> {
  const inodes = new Map<string, number[]>();
  for (const { connection, inode } of sockets) {
    const name = connectionName({ ...connection, udp: true });
    inodes.set(name, [...(inodes.get(name) ?? []), inode]);
  }
  return inodes;
}

/** Whether this socket is the other end: connected so, or bound to where the program sends. */
function isEndOf(socket: Connection, connection: Connection): boolean {
  if (socket.local.port !== connection.local.port) return false;
  return socket.remote.port === 0 || connectionName({ ...socket, udp: true }) === connectionName(connection);
}

function groupName(agent: string, group: string): string {
  return `${agent} ${group}`;
}
