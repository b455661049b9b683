/**
 * What moves, kind by kind. A program has processes, connections, timers, files ...: each kind of thing is one file
 * here, with the same few verbs, and a line in table.ts. A step of a migration asks all kinds for the same verb, in the
 * order of the table, and knows none of them by name. A kind leaves out the verbs that it has no use for.
 *
 *   verb        where    when                                      what it may do
 *   look        source   the program runs                          read facts that no other kind reads
 *   refuse      source   the program runs; once more when frozen   facts -> reasons, no I/O
 *   refuseAway  source   its new host is known                     facts -> reasons, no I/O
 *   needs.of    source   the program runs                          facts -> what the target must have, no I/O
 *   needs.judge target   before anything is touched                what is missing here -> reasons; touch nothing
 *
 * With `leave` the source gets an object for one move, which keeps what the kind must remember from verb to verb:
 *
 *   take        frozen, its sockets locked                         get hold of what moves, or empty it
 *   refuse      frozen, all kinds have taken                       reasons that only a frozen program shows
 *   tidy        frozen, and nothing keeps it from moving           clear what need not be carried
 *   read        frozen, while CRIU dumps                           read what CRIU does not carry
 *   save        frozen, CRIU has dumped                            read what may not be read before
 *   state       frozen, the peers have answered                    what travels, by the kind's own schema
 *   leave       past the point of no return                        let go of it; nobody may hear of its end
 *   unsave      undo of save                                       done half or not at all must be fine
 *   putBack     undo of take, in the order of the table reversed   the same; as if nothing had been
 *
 * With `arrive` the target gets one likewise. Until `release` the program is frozen:
 *
 *   ready       nothing has arrived                                make what CRIU must be given
 *   prepare     before CRIU lets the processes run                 what must be done before any kind is revived
 *   revive      the same; all kinds are prepared                   everything but letting go
 *   settle      CRIU is done                                       what CRIU itself would undo
 *   release     committed, before the thaw                         let go
 *   releaseLate the program runs, some peers have answered late    let go of what waited for them
 *   pickUp      instead of ready to settle: all of that was done by a process that has died, and release follows
 *   abandon     undo, before the commit                            nobody may hear that it was here
 *
 * What two kinds need (where the ends of connections are, a descriptor's rules) is in files of its own beside them, or
 * in src/vocabulary. QEMU's tables of device state are the example.
 */
import type { z } from 'zod';
import type { Logger } from '../log';
import type { ProgramSocket, QueuedSocket, Registry } from '../native/index';
import type { ProgramFacts } from '../program/facts';
import type { RestoredDescriptors } from '../program/restored-descriptors';
import type { StdioEnds, Terminal } from '../program/stdio';
import type { Connection, Endpoint } from '../vocabulary/endpoint';
import type { Place } from '../vocabulary/place';
import type { Reason } from '../vocabulary/refusal';
import type { UnixFacts } from './descriptors/unix-rules';
import type { HostAddresses, NewAddresses } from './ends';
import type { LeavingProgram } from './program';

type Maybe<Result> = Result | Promise<Result>;

/** What is known of a program that runs, or stands still, on this host. */
export interface Facts extends ProgramFacts {
  /** This host's addresses, without loopback, as they are on the wire. */
  readonly addresses: ReadonlySet<string>;
  /** The supervisor's own namespaces. */
  readonly namespaces: Readonly<Record<string, string>>;
  readonly terminal: Terminal | undefined;
  /** The program's UNIX sockets, and those of this host that they are connected to. */
  readonly unixSockets: UnixFacts;
  /** What the `look` of each kind gave, by the kind's name. */
  readonly seen: Readonly<Record<string, unknown>>;
}

/** A completed connection that the program had not accepted, taken out of the accept queue of a listening socket. */
export interface Waiting {
  readonly socket: QueuedSocket;
  readonly listener: ProgramSocket;
}

/** A program that stands still, its sockets locked. The descriptors in it are ours. */
export interface Frozen {
  readonly cgroup: string;
  /** The pid that each process has in the program's own namespace, by the pid that we see. */
  readonly innerPids: ReadonlyMap<number, number>;
  /** The program's inet sockets. */
  readonly sockets: readonly ProgramSocket[];
  /** Filled by the kind that empties the accept queues. */
  waiting: readonly Waiting[];
  placeOf(socket: ProgramSocket): Place;
  /** These descriptors are locked from now on as the others are, until `unlock`. */
  lock(fds: readonly number[]): void;
  unlock(fds: readonly number[]): void;
}

/**
 * What the other ends have received of our streams: peers have told it in their answers, and the ends in the program
 * are read.
 */
export interface Received {
  /** The rcv_nxt of the peer; undefined: it has not answered. */
  byPeer(connection: Connection): number | undefined;
  /** The rcv_nxt of the other end, where that is the program's own. */
  inside(connection: Connection): number | undefined;
  /** Each end that is saved says what it has received. */
  note(saved: readonly (Connection & { readonly rcvNxt: number })[]): void;
}

/** A connection of a saved program, as it was, whose other end follows. The sequence numbers of a UDP socket are 0. */
export interface SavedPeer {
  readonly connection: Connection;
  readonly sndUna: number;
  readonly rcvNxt: number;
}

/** A socket that is on its way, in words for people. */
export interface SocketSummary extends Place {
  readonly state: string;
  readonly local: Endpoint;
  readonly remote: Endpoint | null;
  /** Both queues are in bytes. */
  readonly sendQueue: number;
  readonly receiveQueue: number;
  /** It waits to be accepted; its place is the listening socket's. */
  readonly waiting: boolean;
}

/** One kind's part in one move, at the source. */
export interface Leaving {
  take?(frozen: Frozen): Maybe<void>;
  refuse?(frozen: Frozen, facts: Facts): Reason[];
  /** Whether it is no reason against the move that this peer cannot follow; nobody is told of the connection then. */
  excuses?(peer: { readonly connection: Connection; readonly status: string }, waiting: readonly WaitingEnd[]): boolean;
  /** Whether nobody needs be told of this connection, because it was excused. */
  isExcused?(connection: Connection): boolean;
  tidy?(frozen: Frozen): void;
  read?(frozen: Frozen): void;
  /** Gives the inodes of sockets that CRIU is to make without a name. */
  nameless?(frozen: Frozen): number[];
  /**
   * Gives the names of what CRIU shall not dump, because it is handed to it again at the target (CRIU's --external).
   */
  external?(): string[];
  save?(frozen: Frozen, received: Received): void;
  state?(frozen: Frozen, received: Received): unknown;
  /** The peers of these connections, by connectionName, are lost: the death of this copy is to tell them by a reset. */
  armResets?(lost: ReadonlySet<string>): void;
  /**
   * Lets go of it, here and in other processes of this host; gives the descriptors that are to be closed without a
   * word.
   */
  leave?(): Maybe<readonly number[]>;
  unsave?(): void;
  putBack?(frozen: Frozen): Maybe<void>;
}

/** The end of a connection that waits to be accepted. */
export type WaitingEnd = Connection & { readonly state: number };

/** A program on its way into this host. */
export interface ArrivingProgram {
  readonly cgroup: string;
  readonly log: Logger;
  readonly descriptors: RestoredDescriptors;
  readonly addresses: NewAddresses;
  /** The addresses of the host that it left, where its neighbours there are reached from now on. */
  readonly host: HostAddresses;
  /** The shim's registry, when CRIU is done; undefined where the program's init has none. */
  readonly registry: Registry | undefined;
}

/** Peers that have not answered when the program runs again. */
export interface Late {
  /** Their connections as they were, by connectionName. */
  readonly names: ReadonlySet<string>;
  /** How long these connections stay locked at most, whatever becomes of this process. */
  readonly leaseMs: number;
}

/** What CRIU restores from a descriptor that it is given. */
export interface Inherited {
  readonly key: string;
  /** Our descriptor, which stays open. */
  readonly fd: number;
}

/** One kind's part in one move, at the target. */
export interface Arriving<Needs, Saved> {
  ready?(needs: Needs): Inherited[];
  prepare?(saved: Saved, program: ArrivingProgram): void;
  /** Gives where the connections of `peers` have their local ends now, in that order. */
  revive?(saved: Saved, program: ArrivingProgram): Endpoint[] | void;
  settle?(saved: Saved, program: ArrivingProgram): void;
  /** Gives what `revive` gives; null: the process of that connection was killed meanwhile. */
  pickUp?(saved: Saved, program: ArrivingProgram): (Endpoint | null)[] | void;
  release?(program: ArrivingProgram, late: Late): void;
  releaseLate?(program: ArrivingProgram, late: Late, registry: Registry | undefined): void;
  /** Gives our descriptors that stay open for what has not been released. */
  unreleased?(): number[];
  /** Leaves what has not been released to its lease, and to TCP. */
  giveUp?(): void;
  /** Gives what the supervisor goes on with, where it is not the pod's pipes. */
  stdio?(): StdioEnds | undefined;
  /** Closes all that only the way here needed. */
  finish?(): void;
  abandon?(): void;
}

export interface Needs<Seen, Wanted> {
  /** The schema of what is wanted, as it is on the wire. */
  readonly schema: z.ZodType<Wanted>;
  /** Gives what the target must have. `host`: where neighbours on this host are reached when the program has left. */
  of(facts: Facts, seen: Seen, host: HostAddresses): Wanted;
  /** Gives what this host lacks. `addresses` says where the program's sockets are here. */
  judge(wanted: Wanted, addresses: NewAddresses): Maybe<Reason[]>;
}

/** What a kind says of itself, whether anything of it travels or not. */
interface Described<Seen, Wanted> {
  /** The name that it has on the wire, and in docs/kinds.md. */
  readonly name: string;
  look?(facts: ProgramFacts): Seen;
  refuse?(facts: Facts, seen: Seen): Reason[];
  refuseAway?(facts: Facts, host: HostAddresses): Reason[];
  /** Gives the connections with others, who are to follow. */
  peers?(facts: Facts): Connection[];
  /**
   * Resolves when nothing is left that could not come along, or the time is over: with what is. The program may be
   * running.
   */
  quiesce?(cgroup: string, timeoutMs: number): Promise<Reason[]>;
  readonly needs?: Needs<Seen, Wanted>;
}

/** CRIU carries it, or nothing does: there is nothing of it in the state that migrun sends. */
interface Untravelled<Seen, Wanted> extends Described<Seen, Wanted> {
  readonly saved?: undefined;
  leave?(program: LeavingProgram): Leaving;
  arrive?(): Arriving<Wanted, undefined>;
}

/** Something of it is in the state that migrun sends: it must be written at the source, and read at the target. */
interface Travelling<Seen, Wanted, Saved> extends Described<Seen, Wanted> {
  readonly saved: {
    readonly schema: z.ZodType<Saved>;
    /**
     * One of everything. It is decoded once before it counts, which makes the pause shorter
     * (src/migration/leaving/rehearsal.ts).
     */
    readonly practice: Saved;
    peers?(saved: Saved): SavedPeer[];
    summary?(saved: Saved): SocketSummary[];
  };
  leave(program: LeavingProgram): Leaving & { state(frozen: Frozen, received: Received): Saved };
  arrive(): Arriving<Wanted, Saved>;
}

/** What it sees, wants and sends is its own affair: to whoever asks all kinds, these are unknown. */
export type Kind = Untravelled<unknown, unknown> | Travelling<unknown, unknown, unknown>;
export type TravellingKind = Travelling<unknown, unknown, unknown>;

export function defineKind<Seen, Wanted>(kind: Untravelled<Seen, Wanted>): Kind {
  return kind;
}

export function defineTravellingKind<Seen, Wanted, Saved>(kind: Travelling<Seen, Wanted, Saved>): Kind {
  return kind;
}
