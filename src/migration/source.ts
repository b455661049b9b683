/**
 * A migration as its source drives it, in ten steps. The table at the end is the algorithm; the steps are above it, the
 * preflight in a file of its own.
 *
 *   step       source                                     target                      peers
 *   preflight  facts, rules; ask target and peers         judge, start CRIU           HELLO
 *   suspend    SUSPEND to all                                                         lock with a lease
 *   freeze     freeze the cgroup
 *   lock       lock all sockets; empty the accept queues
 *   dump       CRIU, leaving it frozen
 *   save       save all sockets
 *   transfer   stream the images                          write, check the hash
 *   restore                                               CRIU, revive, fill queues
 *   commit     journal; locks permanent; ask              journal; answer             the point of no return
 *   resume     RESUME on the old path; kill the copy      RESUME on the new; thaw     rebind
 */
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unbindSockets } from '../criu/files-image';
import type { CriuWorker } from '../criu/worker';
import { MigrunError } from '../errors';
import { native, type Connection, type HeldSocket, type SavedSocket } from '../native/index';
import { criuKeyOf } from '../program/terminal';
import { expectType, type ResumedPeer } from '../protocol/control/index';
import { isNamedHere } from './bound';
import type { Step } from './driver';
import { holdSockets } from './hold-sockets';
import { sendImages } from './images';
import { armReset, lostPeers, untilUnlocked } from './lost-peers';
import { connectionsOf, movedPeers, peersOf } from './moved-peers';
import { awaitOrphans } from './orphans';
import { awaitOutcome } from './outcome';
import { agentPatience, cancelPeers, endLease, introducePeers, keepLease, requireLeases, suspendPeers } from './peers';
import { preflight, undoPreflight } from './preflight';
import { reasonsOfPeers, refusal } from './refusal';
import { connectionText, isConnecting, isConnection, reasonOfObstacle, reasonsAgainst, TCP_LISTEN } from './rules';
import type { SourceContext } from './source-context';
import { encodeState, hasPeer, STATE_FILE, type MovingState } from './state';
import { absoluteTimers } from './timers';
import { reasonsOfUnsent, saveUdp } from './udp';
import { isBound, isUdp } from './udp-rules';
import { forgetWaiting, isLeftAlone, keepWaiting, returnWaiting, saveWaiting, takeWaiting, withPeers } from './waiting';

const COMMIT_TIMEOUT_MS = 10_000;
const RESUME_DEADLINE_MS = 5_000;
/** The target tells the peers too, and mostly is the first; twice the work for everybody would take longer. */
const HEAD_START_MS = 30;
const FREEZE_TIMEOUT_MS = 2_000;
/** What the program closed just before its freeze has mostly arrived by now. */
const LAST_ORPHANS_PATIENCE_MS = 1_000;

// suspend

/** Asked here, answered while we freeze, save and dump: what each peer has received is needed for the transfer only. */
function suspend(context: SourceContext): void {
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
  program.registry?.beginFreeze();
  context.frozen = true;
  context.frozenAt = performance.now();
  native.cgroupFreeze(program.cgroup, FREEZE_TIMEOUT_MS);
  program.holdConsole();
}

function undoFreeze(context: SourceContext): void {
  if (!context.frozen) return;
  context.program.releaseConsole();
  context.program.registry?.endFreeze();
  native.cgroupThaw(context.program.cgroup);
  context.frozen = false;
}

// lock

async function lock(context: SourceContext): Promise<void> {
  holdSockets(context);
  takeWaiting(context);
  await keepWaiting(context);
  const late = reasonsAgainst([], context.sockets, { namespaces: {}, terminal: undefined, addresses: new Set(context.addresses) });
  late.push(...reasonsOfUnsent(context.held));
  if (late.length > 0) throw refusal(late);
  await suspendNewcomers(context, connectionsOf(context.sockets, context.addresses));
}

/** Connections that came between the preflight and the freeze. */
async function suspendNewcomers(context: SourceContext, connections: readonly Connection[]): Promise<void> {
  const known = new Set(context.connections.map(connectionText));
  const newcomers = connections.filter((connection) => !known.has(connectionText(connection)));
  if (newcomers.length === 0) return;
  await context.suspending;
  const waiting = context.waiting.map(({ socket }) => socket);
  const refused = (await introducePeers(context, newcomers)).filter((peer) => peer.status !== 'ok' && !isLeftAlone(context, peer, waiting));
  if (refused.length > 0) throw refusal(reasonsOfPeers(refused));
  context.round++;
  await suspendPeers(context, withPeers(context, connections));
}

async function undoLock(context: SourceContext): Promise<void> {
  context.leased = false;
  try {
    await returnWaiting(context);
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
  unbindSockets(context.folder, context.held.filter((socket) => isNamedHere(socket) || (isUdp(socket) && isBound(socket))).map(({ inode }) => inode));
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
  context.saved = connections.map((socket, index) => ({ ...context.placeOf(socket), saved: saved[index] as SavedSocket, peerHas: 0, waiting: null }));
  context.saved.push(...saveWaiting(context));
  context.savedFds.push(...context.waiting.map(({ socket }) => socket.fd));
}

/** Where urgent data came too late for the preflight to see it, only this finds it. */
function saveAll(fds: readonly number[], connections: readonly HeldSocket[]): SavedSocket[] {
  try {
    return native.save(fds);
  } catch (error) {
    const { code, index } = error as { code?: string; index?: number };
    const connection = connections[index ?? 0];
    throw code === 'EOPNOTSUPP' && connection !== undefined ? refusal([reasonOfObstacle('urgent-data', connectionText(connection))]) : error;
  }
}

function undoSave(context: SourceContext): void {
  if (context.saved.length > 0) native.unsave(context.savedFds);
}

// transfer

async function transfer(context: SourceContext): Promise<void> {
  const { program } = context;
  await context.suspending;
  context.saved = context.saved.map((connection) => (hasPeer(connection) ? { ...connection, peerHas: peerHas(context, connection.saved) } : connection));
  const state = encodeState({
    version: 1,
    migration: context.migration,
    program: program.identity.id,
    group: context.group,
    connections: context.saved,
    udp: context.savedUdp,
    addresses: [...context.addresses],
    bound: context.held.filter(isNamedHere).map((socket) => ({ ...context.placeOf(socket), family: socket.family, local: socket.local, backlog: socket.state === TCP_LISTEN ? socket.backlogLimit : null })),
    connecting: context.held.filter(isConnecting).map((socket) => ({ ...context.placeOf(socket), family: socket.family, local: socket.local, remote: socket.remote })),
    listeners: context.listeners.map((socket) => context.placeOf(socket)),
    sockets: context.held.map((socket, index) => ({ ...context.placeOf(socket), inode: socket.inode, options: context.options[index] ?? [] })),
    tickets: context.tickets,
    console: program.consoleState(),
    timers: context.timers,
    terminal: program.terminal === undefined ? null : { rows: program.terminal.rows, columns: program.terminal.columns },
  });
  writeFileSync(join(context.folder, STATE_FILE), state, { mode: 0o600 });
  const { bytes, received } = await sendImages(context.openTarget().channel, context.folder);
  Object.assign(context, { bytes, received });
}

function peerHas(context: SourceContext, connection: Connection): number {
  const peer = context.suspended.get(connectionText(connection));
  if (peer === undefined) throw new MigrunError('E_PEER', `${connectionText(connection)} was not suspended by its peer`);
  return peer.rcvNxt;
}

// restore

async function restore(context: SourceContext): Promise<void> {
  const [answer, orphans] = await Promise.all([
    context.openTarget().channel.request({ type: 'restore' }),
    awaitOrphans(context.program.cgroup, LAST_ORPHANS_PATIENCE_MS),
    context.received,
  ]);
  context.locals = expectType(answer, 'restored').locals;
  if (orphans.length > 0) throw refusal(orphans);
}

// commit

async function commit(context: SourceContext): Promise<void> {
  const { to, journal, migration, program } = context;
  requireLeases(context);
  endLease(context);
  context.leased = false;
  native.lock(context.liveFds, 0);
  journal.asking(migration, { program: program.identity.id, target: to.host, port: to.port });
  let outcome: 'committed' | 'aborted' = 'committed';
  try {
    await context.openTarget().channel.request({ type: 'commit' }, { timeoutMs: COMMIT_TIMEOUT_MS });
  } catch (error) {
    // It may have committed and its answer been lost: only its journal knows. Asking settles it: what was not committed by then never will be.
    context.tools.log.warn({ err: error }, 'no answer to the commit; asking for the outcome');
    outcome = await awaitOutcome(context.tools.config, to, migration);
  }
  if (outcome === 'committed') return;
  journal.answered(migration);
  throw new MigrunError('E_TARGET_LOST', `${to.host} failed before it took over`, { hint: 'the program runs on here' });
}

// resume

async function resume(context: SourceContext): Promise<void> {
  const { program, journal, migration } = context;
  const target = awaitResumed(context);
  const [told, answered] = await Promise.allSettled([tellPeers(context, target), target]);
  context.lost = lostPeers(peersOf(movingOf(context)), [told, answered].flatMap((each) => (each.status === 'fulfilled' ? each.value : [])));
  await forgetWaiting(context);
  // Where the target did not say, whoever takes over there may still reach them.
  const reset = new Set(answered.status === 'fulfilled' ? await resetLost(context) : []);
  const silent = new Set(context.savedFds.filter((fd) => !reset.has(fd)));
  native.closeSilently([...silent]);
  for (const { fd } of context.sockets) if (!silent.has(fd)) native.closeFd(fd);
  void context.worker?.close();
  context.target?.channel.destroy();
  if (existsSync(program.cgroup)) writeFileSync(join(program.cgroup, 'cgroup.kill'), '1');
  journal.answered(migration); // not before: whoever follows us must not take the frozen copy for one that stays
  rmSync(context.folder, { recursive: true, force: true });
  if (answered.status === 'rejected') context.tools.log.warn({ err: answered.reason as unknown }, 'the target went away after the commit');
}

/** The descriptors of those whose peers will see a reset, once the copy here is dead. */
async function resetLost({ lost, saved, savedFds, tools, renewedAt = 0, leaseMs }: SourceContext): Promise<number[]> {
  if (lost.length === 0) return [];
  await untilUnlocked(renewedAt, leaseMs);
  const texts = new Set(lost.map(({ connection }) => connectionText(connection)));
  return saved.flatMap((connection, index) => {
    const fd = savedFds[index];
    if (fd === undefined || !texts.has(connectionText(connection.saved))) return [];
    try {
      armReset(fd, connection);
      return [fd];
    } catch (error) {
      tools.log.warn({ err: error }, 'a peer that is lost is not told');
      return [];
    }
  });
}

function movingOf({ saved, savedUdp, addresses }: SourceContext): Pick<MovingState, 'connections' | 'udp' | 'addresses'> {
  return { connections: saved, udp: savedUdp, addresses: [...addresses] };
}

/** RESUME on the old path, for those whom the target did not reach at once. */
async function tellPeers(context: SourceContext, target: Promise<ResumedPeer[]>): Promise<ResumedPeer[]> {
  const { migration, group, locals, tickets, tools } = context;
  const reached = await Promise.race([target.catch(() => []), new Promise<[]>((resolve) => setTimeout(resolve, HEAD_START_MS, []))]);
  const moved = movedPeers(movingOf(context), locals);
  if (reached.filter(({ status }) => status === 'ok').length === moved.length) return [];
  const answer = await tools.agent.ask({ type: 'resume', migration, group, role: 'source', tickets, moved, deadlineMs: RESUME_DEADLINE_MS }, agentPatience(moved));
  return expectType(answer, 'resumed').peers;
}

/** The target says when the program runs there, and then who followed. Should it go away instead, that changes nothing any more. */
async function awaitResumed(context: SourceContext): Promise<ResumedPeer[]> {
  for await (const incoming of context.openTarget().channel) {
    if (incoming.kind !== 'message') continue;
    if (incoming.message.type === 'runs') context.runsAt = performance.now();
    if (incoming.message.type === 'resumed') return incoming.message.peers;
  }
  throw new MigrunError('E_TARGET_LOST', 'the target closed the channel after the commit');
}

export const SOURCE_STEPS: readonly Step<SourceContext>[] = [
  { name: 'preflight', run: preflight, undo: undoPreflight },
  { name: 'suspend', run: suspend, undo: undoSuspend },
  { name: 'freeze', run: freeze, undo: undoFreeze },
  { name: 'lock', run: lock, undo: undoLock },
  { name: 'dump', run: dump },
  { name: 'save', run: save, undo: undoSave },
  { name: 'transfer', run: transfer },
  { name: 'restore', run: restore },
  { name: 'commit', run: commit, pointOfNoReturn: true },
  { name: 'resume', run: resume },
];
