/**
 * The steps in which a program comes to stand still and all of it is read: what a migration and a checkpoint have in
 * common. Each is undone by leaving the program as it was.
 */
import { unbindSockets } from '../../criu/files-image';
import { lookAgain, peersOf, refuse, refuseAway } from '../../kinds/look';
import { clearInitDirectory } from '../../program/record';
import { type Connection, connectionName } from '../../vocabulary/endpoint';
import { reasonsOfPeers, refusal } from '../../vocabulary/refusal';
import type { Step } from '../driver';
import type { MovingState } from '../state';
import type { Departure } from './departure';

type Reads<Name extends keyof Departure> = Pick<Departure, Name>;

// lock-peers

function lockPeers({ program, kinds, peers, frozen }: Reads<'program' | 'kinds' | 'peers' | 'frozen'>): void {
  clearInitDirectory(program.identity.id);
  peers.beginLock(kinds.unexcused(peers.connections));
  peers.keepLease(() => frozen.renew());
}

async function unlockPeers({ peers }: Reads<'peers'>): Promise<void> {
  peers.endLease();
  await peers.cancel();
}

// freeze

function freeze({ frozen }: Reads<'frozen'>): void {
  frozen.freeze();
}

function thaw({ frozen }: Reads<'frozen'>): void {
  frozen.thaw();
}

// lock

type Locks = Reads<'program' | 'kinds' | 'peers' | 'frozen' | 'facts' | 'host'>;

/**
 * Gets hold of the sockets, has all kinds take what is theirs, and looks once more at what has changed since the
 * preflight.
 */
async function lock(reads: Locks): Promise<void> {
  const { program, kinds, peers, frozen, facts, host } = reads;
  frozen.takeSockets(peers.leaseMs);
  await kinds.take(frozen);
  const now = lookAgain(facts, frozen, program);
  const reasons = [...refuse(now), ...kinds.refuse(frozen, now), ...refuseAway(now, host)];
  if (reasons.length > 0) throw refusal(reasons);
  kinds.tidy(frozen);
  await lockNewcomers(reads, peersOf(now));
}

/** Connections that came between the preflight and the freeze. */
async function lockNewcomers({ kinds, peers, frozen }: Locks, connections: readonly Connection[]): Promise<void> {
  const known = new Set(peers.connections.map(connectionName));
  const newcomers = connections.filter((connection) => !known.has(connectionName(connection)));
  if (newcomers.length === 0) return;
  await peers.locking;
  const waiting = frozen.waiting.map(({ socket }) => socket);
  const answers = await peers.introduce(newcomers);
  const refused = answers.filter((peer) => peer.status !== 'ok' && !kinds.excuses(peer, waiting));
  if (refused.length > 0) throw refusal(reasonsOfPeers(refused));
  await peers.lockAll(kinds.unexcused(connections));
}

async function unlock({ kinds, frozen }: Reads<'kinds' | 'frozen'>): Promise<void> {
  frozen.stopRenewing();
  try {
    await kinds.putBack(frozen);
  } finally {
    frozen.putBack();
  }
}

// dump

type Dumps = Reads<'program' | 'kinds' | 'frozen' | 'criu' | 'folder'>;

async function dump({ program, kinds, frozen, criu, folder }: Dumps): Promise<void> {
  // CRIU reads a socket's filter with SO_GET_FILTER, and the kernel gives no eBPF one (sk_get_filter): for the time
  // of the dump the locks are of the kind without a lease.
  frozen.endLease();
  const external = kinds.external();
  const dumped = criu.dump({
    pid: program.initPid,
    freeze_cgroup: program.cgroup,
    leave_running: true,
    ...(external.length === 0 ? {} : { external }),
  });
  dumped.catch(() => undefined); // who awaits it hears of it
  kinds.read(frozen); // CRIU takes longer
  await dumped;
  frozen.lease();
  unbindSockets(folder, kinds.nameless(frozen));
}

// save

/**
 * Not before the dump: a CRIU that is killed leaves its tracees running (it thaws the cgroup once it has seized them),
 * and a program must not find its sockets in TCP_REPAIR.
 */
function save({ kinds, frozen, received }: Reads<'kinds' | 'frozen' | 'received'>): void {
  kinds.save(frozen, received);
}

function unsave({ kinds }: Reads<'kinds'>): void {
  kinds.unsave();
}

// what has been read

/** Beside CRIU's images. Waits for what the peers answered. */
export async function describeState(departure: Departure): Promise<MovingState> {
  const { migration, program, kinds, peers, frozen, received, addresses, host } = departure;
  await peers.locking;
  return {
    version: 2,
    migration,
    program: program.identity.id,
    group: program.identity.group,
    addresses: [...addresses],
    host,
    kinds: kinds.state(frozen, received),
    tickets: peers.tickets,
  };
}

/** Between a preflight and what is done with the program that stands still. */
export const STAND_STILL: readonly Step<Departure>[] = [
  { name: 'lock-peers', run: lockPeers, undo: unlockPeers },
  { name: 'freeze', run: freeze, undo: thaw },
  { name: 'lock', run: lock, undo: unlock },
  { name: 'dump', run: dump },
  { name: 'save', run: save, undo: unsave },
];
