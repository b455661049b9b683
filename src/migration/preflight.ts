/** The first step: whatever keeps the program from moving is found before anything is touched, all of it at once. */
import { mkdirSync, rmSync } from 'node:fs';
import { arch } from 'node:os';
import { join } from 'node:path';
import { criuLogOf } from '../config';
import { CriuWorker } from '../criu/worker';
import { MigrunError } from '../errors';
import type { SocketOption } from '../native/index';
import { addressesBeside, cpuFlags, gatherFacts, namespacesOf, type ProgramFacts } from '../program/facts';
import { criuKeyOf } from '../program/stdio-ends';
import { type Arrival, expectType } from '../protocol/control/index';
import type { Reason } from '../vocabulary/reason';
import { reasonOfError, reasonsOfPeers, refusal } from '../vocabulary/refusal';
import { IPPROTO_IPV6 } from '../vocabulary/sockets';
import { isUdp, TCP_LISTEN } from '../vocabulary/sockets';
import { isBoundTcp } from './bound';
import { describeWanted } from './descriptors';
import { otherEnd, OwnEnds, reasonsOfNeighbours } from './local-connections';
import type { MigrationContext } from './migration-context';
import { openTarget } from './open-target';
import { awaitOrphans } from './orphans';
import { introducePeers } from './peers';
import { rehearseTransfer } from './rehearsal';
import { isConnecting, isConnection, isHeard, reasonsAgainst } from './rules';
import type { SourceContext } from './source-context';
import { isLeftAlone } from './waiting';

const JUDGE_TIMEOUT_MS = 10_000;
/** The program runs meanwhile. */
const ORPHANS_PATIENCE_MS = 5_000;
const IPV6_V6ONLY = 26;

export async function preflight(context: MigrationContext): Promise<void> {
  await examine(context, () => askTarget(context));
  await rehearseTransfer(context.openTarget().channel, join(context.folder, 'rehearsal'));
}

/** Of where it is to go, `askElsewhere` knows. What the dump needs is made ready. */
export async function examine(context: SourceContext, askElsewhere: () => Promise<Reason[]>): Promise<void> {
  const { program, tools } = context;
  context.facts = gatherFacts(program.cgroup, program.registry);
  const reasons: Reason[] = reasonsAgainst(context.facts.processes, context.facts.sockets, {
    namespaces: namespacesOf('self'),
    terminal: program.terminal?.path,
    addresses: new Set(context.addresses),
    unix: context.facts.unix,
    innerPids: new Map(context.facts.processes.map(({ pid, innerPid }) => [pid, innerPid])),
  });
  mkdirSync(context.folder, { recursive: true, mode: 0o700 });
  // Told in this order: of the program itself, of its peers, of where it is to go.
  const questions = await Promise.allSettled([awaitOrphans(program.cgroup, ORPHANS_PATIENCE_MS), askPeers(context),
    askElsewhere()]);
  for (const asked of questions) {
    if (asked.status === 'fulfilled') reasons.push(...asked.value);
    else if (asked.reason instanceof MigrunError) reasons.push(reasonOfError(asked.reason));
    else throw asked.reason;
  }
  if (reasons.length > 0) throw refusal(reasons);
  context.worker = new CriuWorker(tools.config.criu, context.folder, criuLogOf(tools.config, context.migration));
  await context.worker.warm();
}

async function askTarget(context: MigrationContext): Promise<Reason[]> {
  context.target = await openTarget(context.tools.config, context.to, context.migration, context.program.identity.id);
  context.host = addressesBeside(context.target.ownAddress);
  const answer = await context.target.channel.request({ type: 'arrive', arrival: describeArrival(context) }, {
    timeoutMs: JUDGE_TIMEOUT_MS,
  });
  return [...reasonsOfNeighbours(context.connections, context.host), ...expectType(answer, 'judged').reasons];
}

export function describeArrival(context: SourceContext): Arrival {
  const { program, facts, host } = context;
  const { processes, sockets, waiting } = facts as ProgramFacts;
  const connecting = sockets.filter(isConnecting);
  const connections = [...sockets.filter(isConnection), ...waiting];
  const ends = new OwnEnds(connections);
  const files = new Map(processes.flatMap((process) => process.files.map((file) => [file.path, file] as const)));
  return {
    migration: context.migration,
    program: program.summary,
    architecture: arch(),
    cpuFlags: cpuFlags(),
    files: [...files.values()],
    descriptors: describeWanted(facts as ProgramFacts),
    workingDirectories: [
      ...new Set(processes.filter(({ innerPid }) => innerPid !== 1).map(({ workingDirectory }) => workingDirectory)),
    ],
    bound: distinct(
      sockets.filter(isBoundTcp).map(({ family, local, state, backlog, options }) => ({
        family,
        local,
        waiting: backlog,
        listens: state === TCP_LISTEN,
        options: [...options],
      })),
    ),
    connections: context.connections.map((connection) => ({
      ...connection,
      remote: otherEnd(connection.remote, host) ?? connection.remote,
    })),
    inside: distinct([
      ...connections.filter((connection) => ends.hasOther(connection)).map(({ local }) => local.address),
      ...connecting.filter((socket) => isHeard(socket, sockets)).map(({ remote }) => remote.address),
    ]),
    udp: sockets.filter(isUdp).map(({ family, local, remote, options, interfaces }) => ({
      family,
      local,
      remote,
      v6only: options.some(isV6only),
      interfaces: [...interfaces],
    })),
    addresses: [...context.addresses],
    connecting: connecting.filter((socket) => !isHeard(socket, sockets)).map(({ local, remote }) => ({
      local,
      remote,
    })),
    options: distinct(
      sockets.filter(({ options }) => options.length > 0).map(({ family, type, protocol, options }) => ({
        family,
        type,
        protocol,
        options: [...options],
      })),
    ),
    checkpoint: null,
    terminal: program.terminal === undefined
      ? null
      : { key: criuKeyOf(program.terminal), rows: program.terminal.rows, columns: program.terminal.columns },
  };
}

/** IPV6_V6ONLY, where the host's default is not. */
function isV6only({ level, name, value }: SocketOption): boolean {
  return level === IPPROTO_IPV6 && name === IPV6_V6ONLY && value[0] === 1;
}

/** Many sockets have the same; a group of SO_REUSEPORT is one. */
function distinct<Item>(items: readonly Item[]): Item[] {
  return [...new Map(items.map((item) => [JSON.stringify(item), item])).values()];
}

async function askPeers(context: SourceContext): Promise<Reason[]> {
  const { waiting } = context.facts as ProgramFacts;
  const peers = await introducePeers(context, context.connections);
  return reasonsOfPeers(peers.filter((peer) => peer.status !== 'ok' && !isLeftAlone(context, peer, waiting)));
}

export function undoPreflight(context: MigrationContext): void {
  context.target?.channel.destroy();
  undoExamine(context);
}

export function undoExamine(context: SourceContext): void {
  void context.worker?.close();
  rmSync(context.folder, { recursive: true, force: true });
}
