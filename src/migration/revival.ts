/**
 * A restored program's sockets, from the closed ones that CRIU makes to those that the program left behind at the
 * source: options, connections, UDP sockets, listeners. All of it before the program's first instruction.
 */
import { fstatSync } from 'node:fs';
import { MigrunError } from '../errors';
import type { Logger } from '../log';
import { native, type Endpoint, type ReviveRequest } from '../native/index';
import { connectAgain } from './connecting';
import { RestoredSockets, type Place } from './restored-sockets';
import { addressesOf, reviveRequest } from './udp';
import type { MovingState } from './state';

export class Revival {
  private readonly sockets: RestoredSockets;
  private revived: number[] = [];
  private locals: Endpoint[] = [];
  /** Datagrams that waited to be received and did not come through. */
  lost = 0;

  constructor(
    cgroup: string,
    private readonly state: MovingState,
  ) {
    this.sockets = new RestoredSockets(cgroup);
  }

  /** Whatever is complete when this returns stays locked. Gives the connections' local ends. */
  revive(): Endpoint[] {
    this.writeOptions(true);
    const remotes = new Set(this.state.connections.map(({ saved }) => saved.remote.address));
    const addresses = new Map([...remotes].map((remote) => [remote, ownAddressTowards(remote)]));
    const requests = this.state.connections.map((connection): ReviveRequest => {
      const { saved, peerHas } = connection;
      const address = addresses.get(saved.remote.address) as string;
      return { fd: this.at(connection), saved, local: { address, port: saved.local.port }, remote: saved.remote, peerHas };
    });
    this.revived = requests.map(({ fd }) => fd);
    native.revive(requests, true); // from here on only resets are dropped: what a peer sends that followed is received
    this.reviveUdp();
    this.writeOptions(false);
    this.locals = requests.map(({ local }) => local);
    return this.locals;
  }

  private reviveUdp(): void {
    const { udp, addresses } = this.state;
    const moved = addressesOf(addresses, udp.map(({ saved }) => saved.local));
    this.lost = native.reviveUdp(udp.map((socket) => reviveRequest(socket, this.at(socket), moved))).reduce((sum, count) => sum + count, 0);
  }

  /** Each socket's inode at the source and here. */
  inodes(): [number, number][] {
    return this.state.sockets.map((socket) => [socket.inode, fstatSync(this.at(socket)).ino]);
  }

  release(log: Logger): void {
    native.release(this.revived);
    native.unlock(this.state.listeners.map((place) => this.at(place)));
    connectAgain(this.state, this.sockets, log);
    this.sockets.close();
  }

  /** Nobody hears that they were here. The program must be dead. */
  abandon(): void {
    this.sockets.closeSilently();
  }

  private writeOptions(early: boolean): void {
    for (const socket of this.state.sockets) {
      try {
        native.writeOptions(this.at(socket), socket.options, early);
      } catch (cause) {
        throw new MigrunError('E_SOCKET_OPTION', `a socket's ${(cause as { syscall?: string }).syscall ?? 'option'} cannot be set here`, { cause });
      }
    }
  }

  private at(place: Place): number {
    const fd = this.sockets.find(place);
    if (fd === undefined) throw new MigrunError('E_IMAGE', 'a socket belongs to a process that was not restored');
    return fd;
  }
}

function ownAddressTowards(remote: string): string {
  const address = native.routeSource(remote);
  if (address === null) throw new MigrunError('E_NO_ROUTE', `no route to the peer ${remote}`, { hint: 'does this host reach it?' });
  return address;
}
