/**
 * A checkpoint: a program stops and becomes a file, and its peers hold. Two tables, one for a program that leaves, one
 * for a copy of one that runs on; the steps from lock-peers to save are a migration's
 * (migration/leaving/stand-still.ts).
 *
 *   step       here                                          peers
 *   preflight  facts, rules; make the draft; start CRIU      HELLO
 *   lock-peers                                               lock with a short lease, which is renewed
 *   freeze     freeze the cgroup
 *   lock       lock all sockets; empty the accept queues
 *   dump       CRIU, leaving it frozen
 *   save       save all sockets
 *   write      images, state and manifest, to disk
 *   hold       locks without a lease                         lock for as long as was asked for
 *   commit     the draft gets its name                       the point of no return
 *   leave      kill the copy silently
 *
 * A copy has no hold, and in place of `leave` it has
 *
 *   go-on      undo save, lock, freeze and lock-peers        CANCEL
 */
import { rmSync } from 'node:fs';
import { MigrunError } from '../errors';
import type { Facts } from '../kinds/kind';
import { quiesce, refuseAway, withProcesses } from '../kinds/look';
import { type Step, undoSteps } from '../migration/driver';
import { describeArrival, examine, startCriu, undoExamine } from '../migration/leaving/preflight';
import { describeState, STAND_STILL } from '../migration/leaving/stand-still';
import { gatherProcesses } from '../program/facts';
import { readClusterKey } from '../protocol/channel/index';
import { CONSOLE_SETTLED_TIMEOUT_MS, LAST_QUIESCE_TIMEOUT_MS } from '../times';
import { type Reason, reasonOfError, refusal } from '../vocabulary/refusal';
import type { Checkpoint, CheckpointRequest } from './context';
import { makeDraft, nameDraft } from './draft';
import { describeCheckpoint } from './manifest';
import { encodeSecrets, sealSecrets } from './secrets';
import { writeImage } from './write-image';

type Reads<Name extends keyof Checkpoint> = Pick<Checkpoint, Name>;

// preflight

async function preflight(checkpoint: Checkpoint): Promise<Pick<Checkpoint, 'facts' | 'criu'>> {
  const askHere = (facts: Facts): Reason[] => [
    ...reasonsOfKey(checkpoint),
    ...makeDraft(checkpoint),
    ...refuseAway(facts, checkpoint.host),
  ];
  const facts = await examine(checkpoint, (facts) => Promise.resolve(askHere(facts)));
  return { facts, criu: await startCriu(checkpoint) };
}

function reasonsOfKey({ tools }: Reads<'tools'>): Reason[] {
  try {
    readClusterKey(tools.config.clusterKeyFile);
    return [];
  } catch (error) {
    if (error instanceof MigrunError) return [reasonOfError(error)];
    throw error;
  }
}

/** The question is over before the draft goes: nobody must take its absence for an answer. */
function undoPreflight(checkpoint: Checkpoint): void {
  checkpoint.journal.answered(checkpoint.migration);
  rmSync(checkpoint.draft, { force: true });
  undoExamine(checkpoint);
}

// write

async function write(checkpoint: Checkpoint): Promise<Pick<Checkpoint, 'state' | 'heldUntil' | 'bytes'>> {
  const { facts: before, program, request, migration, tools, draft, folder, file, host } = checkpoint;
  const facts = withProcesses(before, gatherProcesses(program.cgroup));
  const left = await quiesce(program.cgroup, LAST_QUIESCE_TIMEOUT_MS);
  if (left.length > 0) throw refusal(left);
  await program.consoleSettled(CONSOLE_SETTLED_TIMEOUT_MS);
  const state = await describeState(checkpoint);
  const clusterKey = readClusterKey(tools.config.clusterKeyFile);
  const heldUntil = request.leaveRunning ? null : new Date(Date.now() + request.holdMs);
  const arrival = describeArrival(checkpoint, facts, host);
  // Whoever has a copy's image must not speak for the program that runs on.
  const secrets = encodeSecrets({ arrival, state: request.leaveRunning ? { ...state, tickets: [] } : state });
  const sealed = sealSecrets(clusterKey, migration, secrets);
  const described = { migration, program, processes: facts.processes, state, heldUntil, clusterKey };
  try {
    const bytes = await writeImage(draft, folder, sealed, clusterKey, (files) => describeCheckpoint(described, files));
    return { state, heldUntil, bytes };
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const hint = code === 'ENOSPC'
      ? 'make room there, or choose another place; the program runs on'
      : 'the program runs on';
    throw new MigrunError('E_CHECKPOINT_FILE', `${file} cannot be written: ${code ?? message}`, { hint, cause });
  }
}

// hold

async function hold({ peers, frozen, request }: Reads<'peers' | 'frozen' | 'request'>): Promise<void> {
  peers.requireLeases();
  peers.endLease();
  frozen.endLease();
  await peers.hold(request.holdMs);
  peers.requireLeases();
}

// commit

async function commit({ peers, draft, file, tools, request }: Reads<
  'peers' | 'draft' | 'file' | 'tools' | 'request'
>): Promise<void> {
  if (request.leaveRunning) peers.requireLeases();
  await nameDraft(draft, file, tools.log);
}

// leave, go on

async function leave(checkpoint: Checkpoint): Promise<void> {
  await checkpoint.killCopy([]);
  checkpoint.journal.answered(checkpoint.migration);
}

async function goOn(checkpoint: Checkpoint): Promise<void> {
  await undoSteps(STAND_STILL, checkpoint, () => undefined, checkpoint.tools.log);
  undoPreflight(checkpoint);
}

const LEAVING_STEPS: readonly Step<Checkpoint>[] = [
  { name: 'preflight', run: preflight, undo: undoPreflight },
  ...STAND_STILL,
  { name: 'write', run: write },
  { name: 'hold', run: hold },
  { name: 'commit', run: commit, pointOfNoReturn: true },
  { name: 'leave', run: leave },
];

const COPY_STEPS: readonly Step<Checkpoint>[] = [
  { name: 'preflight', run: preflight, undo: undoPreflight },
  ...STAND_STILL,
  { name: 'write', run: write },
  { name: 'commit', run: commit, pointOfNoReturn: true },
  { name: 'go-on', run: goOn },
];

export function checkpointSteps({ leaveRunning }: CheckpointRequest): readonly Step<Checkpoint>[] {
  return leaveRunning ? COPY_STEPS : LEAVING_STEPS;
}
