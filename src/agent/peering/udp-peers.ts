/**
 * The answering side for UDP: sockets of this host that talk to programs elsewhere.
 *
 * There is nothing to hold: what is sent to a program on its way is lost, as datagrams are. A socket that is connected to
 * the program is connected again when it has moved, while its own program runs (test/kernel/udp_reconnect_under_reader.c).
 * One that is not connected answers to where it is asked from, so it follows by itself.
 */

import type { Logger } from 'pino';
import type { Connection, Endpoint, Native } from '../../native/contract';
import { BoundedMap, type Status } from '../../protocol/inband';
import { connectionName, endpointName, forFamily } from './connections';
import type { LocalPrograms } from './types';

const MAX_GROUPS = 1024;
const MAX_IN_GROUP = 10_000;
const TCP_ESTABLISHED = 1; // of a UDP socket: it is connected

interface Registration {
  /** As this host has it. */
  readonly connection: Connection;
  /** Where its other end is now. */
  moved: Endpoint | null;
}

interface Owner {
  readonly inode: number;
  readonly pid: number;
  readonly fd: number;
}

export class UdpPeers {
  /** By agent and group; then by token. */
  private readonly groups = new BoundedMap<string, Map<string, Registration>>(MAX_GROUPS);

  constructor(
    private readonly native: Native,
    private readonly programs: LocalPrograms,
    private readonly log: Logger,
  ) {}

  register(agent: string, group: string, token: string, connection: Connection): Status {
    const registrations = this.of(agent, group);
    const [status] = this.statusesOf([connection]);
    if (status !== 'ok') return status!;
    if (registrations.size >= MAX_IN_GROUP && !registrations.has(token)) return 'failed';
    this.groups.set(groupName(agent, group), registrations.set(token, { connection, moved: null }));
    return 'ok';
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

  /** A RESUME; done once, whoever asks how often. undefined: no such registration. */
  follow(agent: string, group: string, token: string, remote: Endpoint): Status | undefined {
    const registration = this.of(agent, group).get(token);
    if (registration === undefined) return undefined;
    if (registration.moved !== null) return endpointName(registration.moved) === endpointName(remote) ? 'ok' : 'failed';
    const status = this.reconnect(registration.connection, remote);
    if (status === 'ok') registration.moved = remote;
    return status;
  }

  private of(agent: string, group: string): Map<string, Registration> {
    return this.groups.get(groupName(agent, group)) ?? new Map<string, Registration>();
  }

  /** busy: a program that has such a socket is migrating itself. No socket at all is nothing that could not follow. */
  private statusesOf(connections: readonly Connection[]): Status[] {
    if (connections.length === 0) return [];
    const sockets = this.native.udpSockets();
    const inodes = connections.map((connection) => sockets.filter((socket) => isEndOf(socket.connection, connection)).map(({ inode }) => inode));
    const owners = this.ownersOf(inodes.flat());
    const busy = new Set(owners.filter(({ pid }) => this.programs.isMigrating(pid)).map(({ inode }) => inode));
    return inodes.map((some) => (some.some((inode) => busy.has(inode)) ? 'busy' : 'ok'));
  }

  private reconnect(connection: Connection, remote: Endpoint): Status {
    const name = connectionName(connection);
    const sockets = this.native.udpSockets().filter((socket) => socket.state === TCP_ESTABLISHED && connectionName({ ...socket.connection, udp: true }) === name);
    const owners = this.ownersOf(sockets.map(({ inode }) => inode));
    // One descriptor for each; the others are of the same socket.
    const descriptors = [...new Map(owners.map((owner) => [owner.inode, owner])).values()];
    return descriptors.every((owner) => this.reconnectOne(owner, remote)) ? 'ok' : 'failed';
  }

  private reconnectOne({ pid, fd }: Owner, remote: Endpoint): boolean {
    let pidfd = -1;
    let own = -1;
    try {
      pidfd = this.native.pidfdOpen(pid);
      own = this.native.pidfdGetfd(pidfd, fd);
      this.native.reconnectUdp(own, forFamily(remote, this.native.describeSocket(own).family));
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

  private ownersOf(inodes: readonly number[]): Owner[] {
    if (inodes.length === 0) return [];
    return this.native.findOwners(inodes).filter(({ pid }) => pid !== process.pid);
  }
}

/** Whether this socket is the other end: connected so, or bound to where the program sends. */
function isEndOf(socket: Connection, connection: Connection): boolean {
  if (socket.local.port !== connection.local.port) return false;
  return socket.remote.port === 0 || connectionName({ ...socket, udp: true }) === connectionName(connection);
}

function groupName(agent: string, group: string): string {
  return `${agent} ${group}`;
}
