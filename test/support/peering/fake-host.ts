/** A host whose kernel is a few maps: sockets of processes, and a network that may lose, repeat and reorder. */

import pino from 'pino';
import type { Host } from '../../../src/agent/peering/host';
import type { InbandSegment, Native, ReviveRequest, SavedSocket, SocketOwner } from '../../../src/native/index';
import { type Connection, connectionName } from '../../../src/vocabulary/endpoint';
import type { FakeNetwork } from '../inband/fake-network';

const ESTABLISHED = 1;

export interface FakeSocket {
  readonly inode: number;
  connection: Connection;
  state: number;
  /** Below sndNxt: data is on its way. */
  sndUna: number;
  sndNxt: number;
  rcvNxt: number;
  locked: boolean;
  leaseMs: number;
  inRepair: boolean;
}

const failure = (code: string) => Object.assign(new Error(code), { code });

export class FakeHost {
  /** pid -> descriptor -> socket. */
  readonly processes = new Map<number, Map<number, FakeSocket>>();
  /** The agent's descriptors: its sockets and, as null, its pidfds. */
  readonly held = new Map<number, FakeSocket | null>();
  readonly calls: string[] = [];
  frozen = 0;
  /** Names of native calls that fail, with what; for one inode, or all. */
  readonly failing = new Map<string, { code: string; inode?: number }>();
  readonly sent: InbandSegment[] = [];
  private onSegment: (segment: InbandSegment) => void = () => undefined;
  private onDatagram: (segment: InbandSegment) => void = () => undefined;
  private nextFd = 100;
  private nextInode = 1;

  constructor(
    readonly address: string,
    private readonly network: FakeNetwork,
    private readonly hosts: Map<string, FakeHost>,
  ) {
    hosts.set(address, this);
  }

  addSocket(pid: number, connection: Connection, state = ESTABLISHED): FakeSocket {
    const rest = { connection, state, locked: false, leaseMs: 0, inRepair: false };
    const socket: FakeSocket = { inode: this.nextInode++, sndUna: 4000, sndNxt: 5000, rcvNxt: 7000, ...rest };
    const descriptors = this.processes.get(pid) ?? new Map<number, FakeSocket>();
    this.processes.set(pid, descriptors.set(3 + descriptors.size, socket));
    return socket;
  }

  /** This host as its peering has it; its programs are like any other process. */
  inside(parts: Pick<Host, 'clock' | 'keyring'> & Partial<Host>): Host {
    const programs = { freezerOf: () => null, isMigrating: () => false, isSuspended: () => false };
    return { native: this.native, log: pino({ level: 'silent' }), programs, ...parts };
  }

  deliver(segment: InbandSegment, udp: boolean): void {
    if (udp) this.onDatagram(segment);
    else this.onSegment(segment);
  }

  /** The part of the addon that peering calls. */
  get native(): Native {
    const offered: Partial<Native> = {
      openInband: (family, onSegment, protocol) => {
        const receiver = protocol === 'udp' ? 'onDatagram' : 'onSegment';
        if (family === 4) this[receiver] = onSegment;
        return {
          send: (segment) => this.send(segment, protocol === 'udp'),
          close: () => (this[receiver] = () => undefined),
        };
      },
      diagUdpSockets: () =>
        this.all().filter(({ connection }) => connection.udp === true).map(
          ({ inode, state, connection: { local, remote } }) => ({
            inode,
            state,
            connection: { local, remote },
            unacknowledged: 0,
            hasKeys: false,
          })
        ),
      udpReconnect: (fd, remote) => {
        const socket = this.socket(fd);
        if (this.failing.has('udpReconnect')) throw failure(this.failing.get('udpReconnect')!.code);
        this.calls.push(`reconnect ${socket.inode}`);
        socket.connection = { ...socket.connection, remote };
      },
      tcpSequences: (connection) => {
        const socket = this.find(connection);
        return socket === undefined
          ? null
          : { sndNxt: socket.sndNxt, sndUna: socket.sndUna, rcvNxt: socket.rcvNxt, state: socket.state };
      },
      diagConnectionInodes: (connections) => connections.map((connection) => this.find(connection)?.inode ?? null),
      diagTcpConnections: () =>
        this.all().map(({ inode, state, connection }) => ({
          inode,
          state,
          connection,
          unacknowledged: 0,
          hasKeys: false,
        })),
      ownersFind: (inodes) => {
        if (this.failing.has('ownersFind')) throw failure(this.failing.get('ownersFind')!.code);
        return this.owners().filter(({ inode }) => inodes.includes(inode));
      },
      ownersLookAround: () => {
        const seen = this.owners();
        const isSo = ({ inode, pid, fd }: SocketOwner) => this.processes.get(pid)?.get(fd)?.inode === inode;
        return {
          owners: (inodes) => {
            const changed = new Set(seen.filter((owner) => !isSo(owner)).map(({ inode }) => inode));
            return seen.filter(({ inode }) => inodes.includes(inode) && !changed.has(inode));
          },
          sets: () => [],
          pids: (inodes) => [...new Set(seen.filter(({ inode }) => inodes.includes(inode)).map(({ pid }) => pid))],
        };
      },
      processOpen: (pid) => this.hold(this.processes.has(pid) ? null : undefined, pid),
      processTakeFd: (pidfd, fd) => this.hold(this.processes.get(this.pids.get(pidfd)!)?.get(fd)),
      closeFd: (fd) => void this.held.delete(fd),
      socketDescribe: (fd) => {
        const { inode, state, connection } = this.socket(fd);
        return { fd, inode, state, ...connection } as ReturnType<Native['socketDescribe']>;
      },
      ...this.socketCalls(),
      ptraceFreeze: (pids) => {
        if (this.failing.has('ptraceFreeze')) throw failure(this.failing.get('ptraceFreeze')!.code);
        this.calls.push(`freeze ${pids.join(' ')}`);
        this.frozen += 1;
        return {
          release: () => {
            this.calls.push('thaw');
            this.frozen -= 1;
          },
        };
      },
    };
    return offered as Native;
  }

  private readonly pids = new Map<number, number>();

  private socketCalls(): Partial<Native> {
    return {
      socketLock: (fds, leaseMs) =>
        this.each('socketLock', fds, (socket) => Object.assign(socket, { locked: true, leaseMs })),
      socketUnlock: (fds) => this.each('socketUnlock', fds, (socket) => Object.assign(socket, { locked: false })),
      tcpSave: (fds) => {
        this.each('tcpSave', fds, (socket) => {
          if (!socket.locked) throw failure('EINVAL');
          socket.inRepair = true;
        });
        return fds.map((fd) => this.saved(this.socket(fd)));
      },
      tcpRevive: (requests) =>
        this.each('tcpRevive', requests.map(({ fd }) => fd), (socket) => {
          const request = requests.find(({ fd }) => this.socket(fd) === socket) as ReviveRequest;
          if (!socket.inRepair || this.frozen === 0) throw failure('EINVAL');
          socket.connection = { local: request.local, remote: request.remote };
        }),
      tcpUnsave: (fds) => this.each('tcpUnsave', fds, (socket) => Object.assign(socket, { inRepair: false })),
      tcpRelease: (fds) =>
        this.each('tcpRelease', fds, (socket) => Object.assign(socket, { locked: false, inRepair: false })),
    };
  }

  /** All or nothing, as the native batches are. */
  private each(name: string, fds: readonly number[], work: (socket: FakeSocket) => void): void {
    this.calls.push(`${name} ${fds.length}`);
    const failing = this.failing.get(name);
    const sockets = fds.map((fd) => this.socket(fd));
    if (failing !== undefined && sockets.some(({ inode }) => inode === (failing.inode ?? inode))) {
      throw failure(failing.code);
    }
    sockets.forEach(work);
  }

  private saved({ connection, state, sndUna, rcvNxt }: FakeSocket): SavedSocket {
    return { family: 2, state, ...connection, sndUna, rcvNxt } as unknown as SavedSocket;
  }

  private send(segment: InbandSegment, udp: boolean): void {
    this.sent.push(segment);
    this.network.send(() => this.hosts.get(segment.destination.address)?.deliver(segment, udp));
  }

  private find(connection: Connection): FakeSocket | undefined {
    return this.all().find((socket) => connectionName(socket.connection) === connectionName(connection));
  }

  private all(): FakeSocket[] {
    return [...this.processes.values()].flatMap((descriptors) => [...descriptors.values()]);
  }

  private owners(): SocketOwner[] {
    return [...this.processes].flatMap(([pid, descriptors]) =>
      [...descriptors].map(([fd, { inode }]) => ({ inode, pid, fd }))
    );
  }

  private hold(what: FakeSocket | null | undefined, pid?: number): number {
    if (what === undefined) throw failure(pid === undefined ? 'EBADF' : 'ESRCH');
    const fd = this.nextFd++;
    this.held.set(fd, what);
    if (pid !== undefined) this.pids.set(fd, pid);
    return fd;
  }

  private socket(fd: number): FakeSocket {
    const socket = this.held.get(fd);
    if (socket === undefined || socket === null) throw failure('EBADF');
    return socket;
  }
}
