/**
 * What is answered for UDP: sockets of this host that talk to programs elsewhere.
 *
 * There is nothing to hold: what is sent to a program on its way is lost, as datagrams are. A socket that is connected
 * to the program is connected again when it has moved, while its own program runs
 * (test/kernel/udp_reconnect_under_reader.c). One that is not connected answers to where it is asked from, so it
 * follows by itself.
 */

import type { DiagSocket, SocketOwner } from '../../native/index';
import { Pidfds } from '../../program/pidfds';
import { BoundedMap, type Status } from '../../protocol/inband';
import { type Connection, connectionName, type Endpoint, endpointOfFamily,
  endpointText } from '../../vocabulary/endpoint';
import { TCP_ESTABLISHED } from '../../vocabulary/sockets';
import { groupName, type Naming } from './hello/registrations';
import type { Host } from './host';
import type { Sockets } from './sockets';

const MAX_GROUPS = 1024;
const MAX_IN_GROUP = 10_000;

interface UdpPeer {
  /** The connection as this host has it. */
  readonly connection: Connection;
  /** Where its other end is now, once it has followed. */
  movedTo: Endpoint | null;
}

export class UdpPeers {
  /** By agent and group; then by token. */
  private readonly groups = new BoundedMap<string, Map<string, UdpPeer>>(MAX_GROUPS);

  constructor(private readonly host: Host, private readonly sockets: Sockets) {}

  /** At most one look at all processes, for any number of them. */
  register(namings: readonly Naming[]): Status[] {
    const statuses = this.statusesOf(namings.map(({ connection }) => connection));
    return namings.map((naming, index) => (statuses[index] === 'ok' ? this.add(naming) : statuses[index]!));
  }

  has(agent: string, group: string): boolean {
    return this.of(agent, group).size > 0;
  }

  /** What a LOCK is answered with. */
  statuses(agent: string, group: string): { token: string; status: Status }[] {
    const waiting = [...this.of(agent, group)].filter(([, { movedTo }]) => movedTo === null);
    const statuses = this.statusesOf(waiting.map(([, { connection }]) => connection));
    return waiting.map(([token], index) => ({ token, status: statuses[index]! }));
  }

  /** What a RESUME asks for: each is done once, whoever asks and how often. By token, for those that are registered. */
  follow(agent: string, group: string, entries: readonly { token: string; remote: Endpoint }[]): Map<string, Status> {
    const peers = this.of(agent, group);
    const known = entries.flatMap(({ token, remote }) => {
      const peer = peers.get(token);
      return peer === undefined ? [] : [{ token, remote, peer }];
    });
    if (known.some(({ peer }) => peer.movedTo === null)) {
      const byName = byConnection(this.host.native.diagUdpSockets().filter(isConnected));
      const socketsOf = ({ connection }: UdpPeer): number[] => byName.get(connectionName(connection)) ?? [];
      const owners = this.sockets.ownersOf(known.flatMap(({ peer }) => socketsOf(peer)));
      for (const { peer, remote } of known) {
        if (peer.movedTo !== null) continue;
        const inodes = new Set(socketsOf(peer));
        if (this.reconnect(owners.filter(({ inode }) => inodes.has(inode)), remote)) peer.movedTo = remote;
      }
    }
    return new Map(
      known.map(
        ({ token, remote, peer: { movedTo } }) => [token,
          movedTo !== null && endpointText(movedTo) === endpointText(remote) ? 'ok' : 'failed']
      ),
    );
  }

  private add({ agent, group, token, connection }: Naming): Status {
    const peers = this.of(agent, group);
    if (peers.size >= MAX_IN_GROUP && !peers.has(token)) return 'failed';
    this.groups.set(groupName({ agent, group }), peers.set(token, { connection, movedTo: null }));
    return 'ok';
  }

  private of(agent: string, group: string): Map<string, UdpPeer> {
    return this.groups.get(groupName({ agent, group })) ?? new Map<string, UdpPeer>();
  }

  /**
   * busy: a program that has such a socket is migrating itself. Where there is no such socket, nothing has to follow:
   * ok.
   */
  private statusesOf(connections: readonly Connection[]): Status[] {
    if (connections.length === 0) return [];
    const sockets = new Map<number, DiagSocket[]>();
    for (const socket of this.host.native.diagUdpSockets()) {
      const { port } = socket.connection.local;
      sockets.set(port, [...(sockets.get(port) ?? []), socket]);
    }
    const inodes = connections.map((connection) =>
      (sockets.get(connection.local.port) ?? []).filter((socket) => isEndOf(socket.connection, connection)).map(
        ({ inode }) => inode
      )
    );
    const busy = new Set(
      this.sockets.ownersOf(inodes.flat()).filter(({ pid }) => this.host.programs.isMigrating(pid)).map(({ inode }) =>
        inode
      ),
    );
    return inodes.map((some) => (some.some((inode) => busy.has(inode)) ? 'busy' : 'ok'));
  }

  /** Once for each socket, by any descriptor of it. False: one could not. */
  private reconnect(owners: readonly SocketOwner[], remote: Endpoint): boolean {
    const descriptors = [...new Map(owners.map((owner) => [owner.inode, owner])).values()];
    return descriptors.every((owner) => this.reconnectOne(owner, remote));
  }

  private reconnectOne({ pid, fd }: SocketOwner, remote: Endpoint): boolean {
    const pidfds = new Pidfds(this.host.native);
    let own = -1;
    try {
      own = pidfds.take(pid, fd);
      this.host.native.udpReconnect(own, endpointOfFamily(remote, this.host.native.socketDescribe(own).family));
      return true;
    } catch (error) {
      const { code } = error as { code?: unknown };
      if (code === 'ESRCH' || code === 'EBADF') return true; // it has ended, or closed it
      this.host.log.warn({ err: error, remote }, 'a UDP peer could not follow');
      return false;
    } finally {
      if (own >= 0) this.host.native.closeFd(own);
      pidfds.close();
    }
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
