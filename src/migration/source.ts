/**
 * A migration as its source drives it, in nine steps. The table at the end is the algorithm; each step is above it.
 *
 *   step       source                                     target                      peers
 *   preflight  facts, rules; ask target and peers         judge, start CRIU           HELLO
 *   suspend    SUSPEND to all                                                         lock with a lease
 *   freeze     freeze the cgroup
 *   save       lock and save all sockets
 *   dump       CRIU, leaving it frozen
 *   transfer   stream the images                          write, check the hash
 *   restore                                               CRIU, revive, still frozen
 *   commit     journal; locks permanent; ask              journal; answer             the point of no return
 *   resume     RESUME on the old path; kill the copy      RESUME on the new; thaw     rebind
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { CriuWorker } from '../criu/worker';
import { MigrunError } from '../errors';
import { criuLogOf } from '../config';
import { cpuFlags, gatherFacts, namespacesOf, type ProgramFacts } from '../program/facts';
import { innerPid, pidsOf } from '../program/pod';
import { criuKeyOf } from '../program/terminal';
import { native, type Connection, type Endpoint, type HeldSocket } from '../native/index';
import { expectType, type Arrival, type PeerTicket } from '../protocol/control/index';
import { encodeState, movedConnections, type MovingConnection } from './state';
import { sendImages } from './images';
import { connectionText, isConnection, reasonsAgainst, TCP_LISTEN, type Reason } from './rules';
import type { Step } from './driver';
import { awaitOutcome } from './outcome';
import { reasonOfError, reasonOfPeer, refusal } from './refusal';
import { openTarget, type Target } from './open-target';
import type { MigrationTools, MovingProgram } from './program';
import type { Journal } from './journal';

/** Peers hold this long without hearing of us again. */
const LEASE_MS = 10_000;
/** A peer that can follow answers at once; what takes longer has no agent. */
const HELLO_DEADLINE_MS = 1_500;
const SUSPEND_DEADLINE_MS = 2_000;
const RESUME_DEADLINE_MS = 5_000;
const FREEZE_TIMEOUT_MS = 2_000;
const STATE_FILE = 'migrun-state';

export class SourceContext {
  readonly migration = randomBytes(16).toString('hex');
  readonly folder: string;
  target: Target | undefined;
  worker: CriuWorker | undefined;
  facts: ProgramFacts | undefined;
  suspended = new Map<string, { rcvNxt: number }>();
  tickets: PeerTicket[] = [];
  frozen = false;
  held: HeldSocket[] = [];
  locked = false;
  saved: MovingConnection[] = [];
  savedFds: number[] = [];
  /** Where the target has the connections' local ends, in the order of `saved`. */
  locals: Endpoint[] = [];
  bytes = 0;
  frozenAt = 0;

  constructor(
    readonly program: MovingProgram,
    readonly tools: MigrationTools,
    readonly journal: Journal,
    readonly to: { host: string; port: number },
  ) {
    this.folder = join(tools.config.runDir, 'migrations', this.migration);
  }

  get group(): string {
    return this.program.summary.group;
  }

  get connections(): Connection[] {
    return (this.facts?.sockets ?? []).filter(isConnection).map(({ local, remote }) => ({ local, remote }));
  }

  /** Our descriptors of the sockets that are locked: connections and listeners. */
  get liveFds(): number[] {
    return this.held.filter((socket) => isConnection(socket) || socket.state === TCP_LISTEN).map(({ fd }) => fd);
  }

  openTarget(): Target {
    if (this.target === undefined) throw new MigrunError('E_INTERNAL', 'the target is not open');
    return this.target;
  }
}

// preflight

async function preflight(context: SourceContext): Promise<void> {
  const { program, tools } = context;
  context.facts = gatherFacts(program.cgroup);
  const reasons: Reason[] = reasonsAgainst(context.facts.processes, context.facts.sockets, {
    namespaces: namespacesOf('self'),
    terminal: program.terminal?.path,
  });
  mkdirSync(context.folder, { recursive: true, mode: 0o700 });
  const [target, peers] = await Promise.allSettled([askTarget(context), askPeers(context)]);
  for (const asked of [target, peers]) {
    if (asked.status === 'fulfilled') reasons.push(...asked.value);
    else if (asked.reason instanceof MigrunError) reasons.push(reasonOfError(asked.reason));
    else throw asked.reason;
  }
  if (reasons.length > 0) throw refusal(reasons);
  context.worker = new CriuWorker(tools.config.criu, context.folder, criuLogOf(tools.config, context.migration));
  await context.worker.warm();
}

async function askTarget(context: SourceContext): Promise<Reason[]> {
  context.target = await openTarget(context.tools.config, context.to, context.migration, context.program.summary.id);
  const answer = await context.target.channel.request({ type: 'arrive', arrival: describeArrival(context) }, { timeoutMs: 10_000 });
  return expectType(answer, 'judged').reasons;
}

function describeArrival(context: SourceContext): Arrival {
  const { program, facts } = context;
  const { processes, sockets } = facts as ProgramFacts;
  const files = new Map(processes.flatMap((process) => process.files.map((file) => [file.path, file] as const)));
  return {
    migration: context.migration,
    program: program.summary,
    architecture: arch(),
    cpuFlags: cpuFlags(),
    files: [...files.values()],
    workingDirectories: [...new Set(processes.map(({ pid }) => readlinkSync(`/proc/${pid}/cwd`)))],
    listeners: sockets.filter(({ state }) => state === TCP_LISTEN).map(({ family, local }) => ({ family, local })),
    connections: context.connections,
    terminal: program.terminal === undefined ? null : { key: criuKeyOf(program.terminal), rows: program.terminal.rows, columns: program.terminal.columns },
  };
}

async function askPeers(context: SourceContext): Promise<Reason[]> {
  const peers = await introduce(context, context.connections);
  return peers.filter(({ status }) => status !== 'ok').map(reasonOfPeer);
}

async function introduce(context: SourceContext, connections: Connection[]): Promise<{ connection: Connection; status: string }[]> {
  if (connections.length === 0) return [];
  const answer = await context.tools.agent.ask({ type: 'introduce', group: context.group, connections, deadlineMs: HELLO_DEADLINE_MS });
  return expectType(answer, 'introduced').peers;
}

function undoPreflight(context: SourceContext): void {
  context.worker?.close();
  context.target?.channel.destroy();
  rmSync(context.folder, { recursive: true, force: true });
}

// suspend

async function suspend(context: SourceContext): Promise<void> {
  await suspendConnections(context, context.connections, 1);
}

async function suspendConnections(context: SourceContext, connections: Connection[], round: number): Promise<void> {
  if (connections.length === 0) return;
  const { migration, group } = context;
  const answer = await context.tools.agent.ask({ type: 'suspend', migration, group, connections, leaseMs: LEASE_MS, round, deadlineMs: SUSPEND_DEADLINE_MS });
  const { peers, tickets } = expectType(answer, 'suspended');
  const refused = peers.filter(({ status }) => status !== 'ok');
  if (refused.length > 0) throw refusal(refused.map(reasonOfPeer));
  for (const { connection, rcvNxt } of peers) context.suspended.set(connectionText(connection), { rcvNxt });
  context.tickets = tickets;
}

async function undoSuspend(context: SourceContext): Promise<void> {
  await context.tools.agent.ask({ type: 'cancel', migration: context.migration, deadlineMs: SUSPEND_DEADLINE_MS });
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

// save

async function save(context: SourceContext): Promise<void> {
  context.held = native.collectSockets(pidsOf(context.program.cgroup));
  context.locked = true;
  native.lock(context.liveFds, LEASE_MS);
  const late = reasonsAgainst([], context.held.map(({ fd, ...socket }) => ({ ...socket, ...(socket.state === TCP_LISTEN ? { backlog: native.describeSocket(fd).backlog } : {}) })), {
    namespaces: {},
    terminal: undefined,
  });
  if (late.length > 0) throw refusal(late);

  const connections = context.held.filter(isConnection);
  await suspendNewcomers(context, connections);
  context.savedFds = connections.map(({ fd }) => fd);
  const saved = native.save(context.savedFds);
  context.saved = saved.map((state, index) => {
    const socket = connections[index] as HeldSocket;
    const peer = context.suspended.get(connectionText(state));
    if (peer === undefined) throw new MigrunError('E_PEER', `${connectionText(state)} was not suspended by its peer`);
    return { innerPid: innerPid(socket.pid), fd: socket.pfd, saved: state, peerHas: peer.rcvNxt };
  });
}

/** Connections that were accepted or made between the preflight and the freeze. */
async function suspendNewcomers(context: SourceContext, connections: readonly HeldSocket[]): Promise<void> {
  const newcomers = connections.filter((socket) => !context.suspended.has(connectionText(socket))).map(({ local, remote }) => ({ local, remote }));
  if (newcomers.length === 0) return;
  const refused = (await introduce(context, newcomers)).filter(({ status }) => status !== 'ok');
  if (refused.length > 0) throw refusal(refused.map(reasonOfPeer));
  await suspendConnections(context, connections.map(({ local, remote }) => ({ local, remote })), 2);
}

function undoSave(context: SourceContext): void {
  if (context.saved.length > 0) native.unsave(context.savedFds);
  if (context.locked) native.unlock(context.liveFds);
  for (const { fd } of context.held) native.closeFd(fd);
  context.held = [];
}

// dump

async function dump(context: SourceContext): Promise<void> {
  const { program, worker } = context;
  // CRIU reads a socket's filter with SO_GET_FILTER, and the kernel gives no eBPF one (sk_get_filter): for the time
  // of the dump the locks are of the kind without a lease.
  native.lock(context.liveFds, 0);
  await (worker as CriuWorker).dump({
    pid: program.initPid,
    freeze_cgroup: program.cgroup,
    leave_running: true,
    ...(program.terminal === undefined ? {} : { external: [criuKeyOf(program.terminal)] }),
  });
  native.lock(context.liveFds, LEASE_MS);
}

// transfer

async function transfer(context: SourceContext): Promise<void> {
  const { program } = context;
  const state = encodeState({
    version: 1,
    migration: context.migration,
    program: program.summary.id,
    group: context.group,
    connections: context.saved,
    listeners: context.held.filter(({ state: is }) => is === TCP_LISTEN).map(({ pid, pfd }) => ({ innerPid: innerPid(pid), fd: pfd })),
    inodes: context.held.map(({ pid, pfd, inode }) => ({ innerPid: innerPid(pid), fd: pfd, inode })),
    tickets: context.tickets,
    console: program.consoleState(),
    terminal: program.terminal === undefined ? null : { rows: program.terminal.rows, columns: program.terminal.columns },
  });
  writeFileSync(join(context.folder, STATE_FILE), state, { mode: 0o600 });
  context.bytes = await sendImages(context.openTarget().channel, context.folder);
}

// restore

async function restore(context: SourceContext): Promise<void> {
  const answer = await context.openTarget().channel.request({ type: 'restore' });
  context.locals = expectType(answer, 'restored').locals;
}

// commit

async function commit(context: SourceContext): Promise<void> {
  const { to, journal, migration, program } = context;
  native.lock(context.liveFds, 0);
  journal.asking(migration, { program: program.summary.id, target: to.host, port: to.port });
  let outcome: 'committed' | 'aborted' = 'committed';
  try {
    await context.openTarget().channel.request({ type: 'commit' });
  } catch (error) {
    // It may have committed and its answer been lost: only its journal knows.
    context.tools.log.warn({ err: error }, 'no answer to the commit; asking for the outcome');
    outcome = await awaitOutcome(context.tools.config, to, migration);
  }
  journal.answered(migration);
  if (outcome === 'aborted') throw new MigrunError('E_TARGET_LOST', `${to.host} failed before it took over`, { hint: 'the program runs on here' });
}

// resume

async function resume(context: SourceContext): Promise<void> {
  const { migration, group, program } = context;
  const moved = movedConnections(context.saved, context.locals);
  const asked = moved.length === 0 ? undefined : context.tools.agent.ask({ type: 'resume', migration, group, role: 'source', tickets: context.tickets, moved, deadlineMs: RESUME_DEADLINE_MS });
  const target = awaitResumed(context);
  const [answered] = await Promise.allSettled([target, asked]);
  native.closeSilently(context.savedFds);
  for (const { fd } of context.held) if (!context.savedFds.includes(fd)) native.closeFd(fd);
  context.worker?.close();
  context.target?.channel.destroy();
  if (existsSync(program.cgroup)) writeFileSync(join(program.cgroup, 'cgroup.kill'), '1');
  rmSync(context.folder, { recursive: true, force: true });
  if (answered?.status === 'rejected') context.tools.log.warn({ err: answered.reason as unknown }, 'the target went away after the commit');
}

/** The target says when the program runs there. Should it go away instead, that changes nothing any more. */
async function awaitResumed(context: SourceContext): Promise<void> {
  for await (const incoming of context.openTarget().channel) {
    if (incoming.kind === 'message' && incoming.message.type === 'resumed') return;
  }
  throw new MigrunError('E_TARGET_LOST', 'the target closed the channel after the commit');
}

export const SOURCE_STEPS: readonly Step<SourceContext>[] = [
  { name: 'preflight', run: preflight, undo: undoPreflight },
  { name: 'suspend', run: suspend, undo: undoSuspend },
  { name: 'freeze', run: freeze, undo: undoFreeze },
  { name: 'save', run: save, undo: undoSave },
  { name: 'dump', run: dump },
  { name: 'transfer', run: transfer },
  { name: 'restore', run: restore },
  { name: 'commit', run: commit, pointOfNoReturn: true },
  { name: 'resume', run: resume },
];
