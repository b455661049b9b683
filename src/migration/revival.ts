/**
 * A restored program's sockets, from the closed ones that CRIU makes to those that the program left behind at the
 * source: options, connections, UDP sockets, listeners. All of it before the program's first instruction.
 */
import { fstatSync } from 'node:fs';
import { MigrunError } from '../errors';
import type { Logger } from '../log';
import { native, type Registry, type ReviveRequest } from '../native/index';
import { freezeProgram, thawProgram } from '../program/freeze';
import { type Connection, connectionText, type Endpoint } from '../vocabulary/endpoint';
import type { Place } from '../vocabulary/place';
import { fillQueues } from './accept-queue';
import { bindAgain } from './bound';
import { connectAgain } from './connecting';
import { withFreePorts } from './free-ports';
import { endsHere } from './local-end';
import { udpWithPeers } from './moved-peers';
import type { NewAddresses } from './new-addresses';
import { RestoredDescriptors } from './restored-descriptors';
import type { MovingConnection, MovingState } from './state';
import { addressesOf, reviveRequest } from './udp';

/** A program that does not stand still by then goes on with its peers late. */
const FREEZE_TIMEOUT_MS = 2_000;

interface Revived {
  readonly fd: number;
  /** The connection as it was: connectionText. */
  readonly name: string;
}

export class Revival {
  private readonly sockets: RestoredDescriptors;
  private revived: Revived[] = [];
  /** The RESUME to a peer that has not followed yet is answered with a reset. */
  private resetsDropped: number | undefined;
  /** Datagrams that waited to be received and did not come through. */
  lost = 0;

  constructor(
    private readonly cgroup: string,
    private readonly state: MovingState,
  ) {
    this.sockets = new RestoredDescriptors(cgroup);
  }

  /** Whatever is complete when this returns stays locked. Gives the local ends of connections, then of UDP sockets with peers. */
  revive(): Endpoint[] {
    const moved = addressesOf(this.state.addresses, this.state.udp.map(({ saved }) => saved.local));
    const ends = this.freeEnds(endsHere(this.state.connections, this.state.host, moved));
    this.writeOptions(true);
    bindAgain(this.state, moved, (socket) => this.at(socket));
    const requests = this.state.connections.flatMap((connection, index): ReviveRequest[] => {
      const { saved, peerHas, waiting } = connection;
      return waiting === null ? [{ fd: this.at(connection), saved, ...(ends[index] as Connection), peerHas }] : [];
    });
    this.revived = requests.map(({ fd, saved: { local, remote } }) => ({
      fd,
      name: connectionText({ local, remote }),
    }));
    native.tcpRevive(requests, true); // from here on only resets are dropped: what a peer sends that followed is received
    this.reviveUdp(moved);
    this.writeOptions(false);
    this.fillQueues(ends);
    return [...ends.map(({ local }) => local),
      ...udpWithPeers(this.state).map((socket) => native.socketDescribe(this.at(socket)).local)];
  }

  private freeEnds(ends: readonly Connection[]): Connection[] {
    const listening = new Set(this.state.listeners.map((place) => native.socketDescribe(this.at(place)).local.port));
    return withFreePorts(ends, ({ local }, index) => {
      const { inside, waiting } = this.state.connections[index] as MovingConnection;
      return !inside && waiting === null && !listening.has(local.port);
    });
  }

  private reviveUdp(moved: NewAddresses): void {
    this.lost = native.udpRevive(this.state.udp.map((socket) => reviveRequest(socket, this.at(socket), moved))).reduce(
      (sum, count) => sum + count,
      0,
    );
  }

  /** Each socket's inode at the source and here. */
  inodes(): [number, number][] {
    return this.state.sockets.map((socket) => [socket.inode, fstatSync(this.at(socket)).ino]);
  }

  /**
   * Before the thaw. The connections of `late` peers stay locked, `lateMs` at most, whatever becomes of us: what the
   * program writes to them waits.
   */
  release(late: ReadonlySet<string>, lateMs: number, log: Logger): void {
    const [kept, free] = this.split(late);
    native.tcpRelease(fdsOf(free));
    native.tcpUnsave(fdsOf(kept));
    native.socketLock(fdsOf(kept), lateMs);
    native.socketUnlock(this.state.listeners.map((place) => this.at(place)));
    connectAgain(this.state, this.sockets, log);
    this.revived = kept;
    this.close(late);
  }

  /** The same for those that are not late any more, after the thaw: the program stands still for it once more. Where it does not, nothing has changed. */
  releaseLate(late: ReadonlySet<string>, registry: Registry | undefined): void {
    const [kept, free] = this.split(late);
    if (free.length > 0) {
      // Meanwhile they are in TCP_REPAIR, in which a program's calls fail.
      freezeProgram(this.cgroup, registry, FREEZE_TIMEOUT_MS);
      try {
        native.tcpRelease(fdsOf(free));
      } finally {
        thawProgram(this.cgroup, registry);
      }
    }
    this.revived = kept;
    this.close(late);
  }

  /** There are connections that are not released. */
  get isHolding(): boolean {
    return this.revived.length > 0;
  }

  /** Those are left to their leases and to TCP, whose probes open the window in the end. */
  forget(): void {
    this.revived = [];
    this.close(new Set());
  }

  /** Nobody hears that they were here. The program must be dead. */
  abandon(): void {
    this.letResetsPass();
    this.sockets.closeSilently();
  }

  /** Last: what is in them has taken over the listening sockets' options, and cannot be locked. */
  private fillQueues(ends: readonly Connection[]): void {
    const waiting = this.state.connections.flatMap((
      connection,
      index,
    ) => (connection.waiting === null ? [] : [{ connection, listener: this.at(connection), ends: ends[index] }]));
    if (waiting.length === 0) return;
    const { failure } = fillQueues(waiting, this.cgroup);
    if (failure !== undefined) throw failure;
    this.resetsDropped = native.gateDropResets(this.cgroup);
  }

  private split(late: ReadonlySet<string>): [Revived[], Revived[]] {
    return [this.revived.filter(({ name }) => late.has(name)), this.revived.filter(({ name }) => !late.has(name))];
  }

  private close(late: ReadonlySet<string>): void {
    if (late.size === 0) this.letResetsPass(); // some may be of connections that wait to be accepted
    this.sockets.close(fdsOf(this.revived));
  }

  private letResetsPass(): void {
    if (this.resetsDropped !== undefined) native.closeFd(this.resetsDropped);
    this.resetsDropped = undefined;
  }

  private writeOptions(early: boolean): void {
    const { sockets } = this.state;
    try {
      native.socketWriteOptions(sockets.map((place) => this.at(place)), sockets.map(({ options }) => options), early);
    } catch (cause) {
      if (cause instanceof MigrunError) throw cause;
      throw new MigrunError(
        'E_SOCKET_OPTION',
        `a socket's ${(cause as { syscall?: string }).syscall ?? 'option'} cannot be set here`,
        { cause },
      );
    }
  }

  private at(place: Place): number {
    const fd = this.sockets.find(place);
    if (fd === undefined) throw new MigrunError('E_IMAGE', 'a socket belongs to a process that was not restored');
    return fd;
  }
}

function fdsOf(revived: readonly Revived[]): number[] {
  return revived.map(({ fd }) => fd);
}
