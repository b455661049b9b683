/**
 * The steps in which a program comes to stand still and all of it is read: what a migration and a checkpoint have in
 * common. Each is undone by leaving the program as it was.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unbindSockets } from '../criu/files-image';
import type { CriuWorker } from '../criu/worker';
import { MigrunError } from '../errors';
import { type HeldSocket, native, type SavedSocket } from '../native/index';
import { signedSockets } from '../program/facts';
import { freezeProgram, thawProgram } from '../program/freeze';
import { withHidden } from '../program/hidden';
import { clearInitDirectory } from '../program/init-directory';
import { sweepRegistry } from '../program/registry';
import { criuKeyOf } from '../program/terminal';
import { connectionName } from '../vocabulary/endpoint';
import { type Connection, connectionText } from '../vocabulary/endpoint';
import { isUdp, TCP_LISTEN } from '../vocabulary/sockets';
import { isNamedHere } from './bound';
import { reasonsOfLateDescriptors } from './descriptors';
import type { Step } from './driver';
import { lookAtEdges, settleAgain } from './edges';
import { holdSockets } from './hold-sockets';
import { OwnEnds, reasonsOfNeighbours } from './local-connections';
import { connectionsOf } from './moved-peers';
import { cancelPeers, endLease, introducePeers, keepLease, suspendPeers } from './peers';
import { reasonsOfPeers, refusal } from './refusal';
import { isConnecting, isConnection, isHeard, reasonOfObstacle, reasonsAgainst } from './rules';
import type { SourceContext } from './source-context';
import { hasPeer, type MovingConnection, type MovingState } from './state';
import { absoluteTimers } from './timers';
import { reasonsOfUnsent, saveUdp } from './udp';
import { isBound } from './udp-rules';
import { isLeftAlone, keepWaiting, returnWaiting, saveWaiting, takeWaiting, withPeers } from './waiting';

const FREEZE_TIMEOUT_MS = 2_000;

// suspend

/** Asked here, answered while we freeze, save and dump: what each peer has received is needed for the transfer only. */
function suspend(context: SourceContext): void {
  clearInitDirectory(context.program.identity.id);
  context.suspending = suspendPeers(context, withPeers(context, context.connections));
  context.suspending.catch(() => undefined); // who awaits it hears of it
  keepLease(context);
}

async function undoSuspend(context: SourceContext): Promise<void> {
  endLease(context);
  await cancelPeers(context);
}

// freeze

function freeze(context: SourceContext): void {
  const { program } = context;
  context.frozenAt = performance.now();
  freezeProgram(program.cgroup, program.registry, FREEZE_TIMEOUT_MS);
  context.frozen = true;
  program.holdConsole();
}

function undoFreeze(context: SourceContext): void {
  if (!context.frozen) return;
  context.program.releaseConsole();
  thawProgram(context.program.cgroup, context.program.registry);
  context.frozen = false;
}

// lock

async function lock(context: SourceContext): Promise<void> {
  holdSockets(context);
  context.edges = lookAtEdges(context.innerPids, context.held);
  takeWaiting(context);
  await keepWaiting(context);
  const { cgroup, registry } = context.program;
  const sockets = withHidden(context.sockets, registry, () => signedSockets(cgroup));
  const late = reasonsAgainst([], sockets, {
    namespaces: {},
    terminal: undefined,
    addresses: new Set(context.addresses),
    unix: [],
    innerPids: context.innerPids,
  });
  late.push(...reasonsOfUnsent(context.held), ...reasonsOfLateDescriptors(context));
  const connections = connectionsOf(
    context.held,
    context.waiting.map(({ socket }) => socket).filter(isConnection),
    context.addresses,
  );
  late.push(...reasonsOfNeighbours(connections, context.host));
  if (late.length > 0) throw refusal(late);
  // None is on its way in a message then: these are all that the program has.
  sweepRegistry(registry, context.held);
  await suspendNewcomers(context, connections);
}

/** Connections that came between the preflight and the freeze. */
async function suspendNewcomers(context: SourceContext, connections: readonly Connection[]): Promise<void> {
  const known = new Set(context.connections.map(connectionText));
  const newcomers = connections.filter((connection) => !known.has(connectionText(connection)));
  if (newcomers.length === 0) return;
  await context.suspending;
  const waiting = context.waiting.map(({ socket }) => socket);
  const refused = (await introducePeers(context, newcomers)).filter((peer) =>
    peer.status !== 'ok' && !isLeftAlone(context, peer, waiting)
  );
  if (refused.length > 0) throw refusal(reasonsOfPeers(refused));
  context.round++;
  await suspendPeers(context, withPeers(context, connections));
}

async function undoLock(context: SourceContext): Promise<void> {
  context.leased = false;
  try {
    await returnWaiting(context);
    settleAgain(context.edges, context.innerPids);
  } finally {
    if (context.locked) native.unlock(context.liveFds);
    for (const { fd } of context.held) native.closeFd(fd);
    context.held = [];
  }
}

// dump

async function dump(context: SourceContext): Promise<void> {
  const { program, worker } = context;
  context.leased = false;
  // CRIU reads a socket's filter with SO_GET_FILTER, and the kernel gives no eBPF one (sk_get_filter): for the time
  // of the dump the locks are of the kind without a lease.
  native.lock(context.liveFds, 0);
  const dumped = (worker as CriuWorker).dump({
    pid: program.initPid,
    freeze_cgroup: program.cgroup,
    leave_running: true,
    ...(program.terminal === undefined ? {} : { external: [criuKeyOf(program.terminal)] }),
  });
  dumped.catch(() => undefined); // who awaits it hears of it
  // What CRIU does takes longer.
  context.options = native.readOptions(context.held.map(({ fd }) => fd));
  context.timers = absoluteTimers(context.innerPids);
  await dumped;
  native.lock(context.liveFds, context.leaseMs);
  context.leased = true;
  unbindSockets(
    context.folder,
    context.held.filter((socket) => isNamedHere(socket) || (isUdp(socket) && isBound(socket))).map(({ inode }) =>
      inode
    ),
  );
}

// save

/**
 * Not before the dump: a CRIU that is killed leaves its tracees running (it thaws the cgroup once it has seized them),
 * and a program must not find its sockets in TCP_REPAIR.
 */
function save(context: SourceContext): void {
  const connections = context.held.filter(isConnection);
  context.savedFds = connections.map(({ fd }) => fd);
  const saved = saveAll(context.savedFds, connections);
  context.savedUdp = saveUdp(context.held);
  context.saved = connections.map((socket, index) => ({
    ...context.placeOf(socket),
    saved: saved[index] as SavedSocket,
    peerHas: 0,
    inside: false,
    waiting: null,
  }));
  context.saved.push(...saveWaiting(context));
  context.saved = withOwnEnds(context.saved);
  context.savedFds.push(...context.waiting.map(({ socket }) => socket.fd));
}

/** Those between two sockets of the program: each end says what it has received. */
function withOwnEnds(saved: readonly MovingConnection[]): MovingConnection[] {
  const ends = new OwnEnds(saved.map((connection) => connection.saved));
  const inside = saved.filter((connection) => ends.hasOther(connection.saved));
  const received = new Map(
    inside.map(({ saved: { local, remote, rcvNxt } }) => [connectionName({ local: remote, remote: local }), rcvNxt]),
  );
  return saved.map((connection) => {
    if (!ends.hasOther(connection.saved)) return connection;
    return {
      ...connection,
      inside: true,
      peerHas: received.get(connectionName(connection.saved)) as number,
    };
  });
}

/** Where urgent data came too late for the preflight to see it, only this finds it. */
function saveAll(fds: readonly number[], connections: readonly HeldSocket[]): SavedSocket[] {
  try {
    return native.save(fds);
  } catch (error) {
    const { code, index } = error as { code?: string; index?: number };
    const connection = connections[index ?? 0];
    throw code === 'EOPNOTSUPP' && connection !== undefined
      ? refusal([reasonOfObstacle('urgent-data', connectionText(connection))])
      : error;
  }
}

function undoSave(context: SourceContext): void {
  if (context.saved.length > 0) native.unsave(context.savedFds);
}

// what has been read

/** Beside CRIU's images. Waits for what the peers answered. */
export async function describeState(context: SourceContext): Promise<MovingState> {
  const { program } = context;
  await context.suspending;
  context.saved = context.saved.map(
    (connection) => (hasPeer(connection) ? { ...connection, peerHas: peerHas(context, connection.saved) } : connection),
  );
  return {
    version: 1,
    migration: context.migration,
    program: program.identity.id,
    group: context.group,
    connections: context.saved,
    udp: context.savedUdp,
    addresses: [...context.addresses],
    host: context.host,
    bound: context.held.filter(isNamedHere).map((socket) => ({
      ...context.placeOf(socket),
      family: socket.family,
      local: socket.local,
      backlog: socket.state === TCP_LISTEN ? socket.backlogLimit : null,
    })),
    connecting: context.held.filter(isConnecting).map((socket) => ({
      ...context.placeOf(socket),
      family: socket.family,
      local: socket.local,
      remote: socket.remote,
      inside: isHeard(socket, context.held),
    })),
    listeners: context.listeners.map((socket) => context.placeOf(socket)),
    sockets: context.held.map((socket, index) => ({
      ...context.placeOf(socket),
      inode: socket.inode,
      options: context.options[index] ?? [],
    })),
    tickets: context.tickets,
    console: program.consoleState(),
    timers: context.timers,
    edges: context.edges,
    terminal: program.terminal === undefined
      ? null
      : { rows: program.terminal.rows, columns: program.terminal.columns },
  };
}

function peerHas(context: SourceContext, connection: Connection): number {
  const peer = context.suspended.get(connectionText(connection));
  if (peer === undefined)
    throw new MigrunError('E_PEER', `${connectionText(connection)} was not suspended by its peer`);
  return peer.rcvNxt;
}

/** Past the point of no return: nothing of the program stays here, and only those of its sockets that are `armed` tell anybody so. */
export function killCopy(context: SourceContext, armed: ReadonlySet<number> = new Set()): void {
  const silent = new Set(context.savedFds.filter((fd) => !armed.has(fd)));
  native.closeSilently([...silent]);
  for (const { fd } of context.sockets) if (!silent.has(fd)) native.closeFd(fd);
  void context.worker?.close();
  const { cgroup } = context.program;
  if (existsSync(cgroup)) writeFileSync(join(cgroup, 'cgroup.kill'), '1');
}

/** Between a preflight and what is done with the program that stands still. */
export const STAND_STILL: readonly Step<SourceContext>[] = [
  { name: 'suspend', run: suspend, undo: undoSuspend },
  { name: 'freeze', run: freeze, undo: undoFreeze },
  { name: 'lock', run: lock, undo: undoLock },
  { name: 'dump', run: dump },
  { name: 'save', run: save, undo: undoSave },
];
