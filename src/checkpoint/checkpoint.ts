/**
 * A checkpoint: a program stops and becomes a file, and its peers hold. Two tables, one for a program that leaves, one
 * for a copy of one that runs on; the steps from suspend to save are a migration's (migration/stand-still.ts).
 *
 *   step       here                                          peers
 *   preflight  facts, rules; make the draft; start CRIU      HELLO
 *   suspend                                                  lock with a short lease, which is renewed
 *   freeze     freeze the cgroup
 *   lock       lock all sockets; empty the accept queues
 *   dump       CRIU, leaving it frozen
 *   save       save all sockets
 *   write      images, state and manifest, to disk
 *   hold       locks without a lease                         lock for as long as was asked for
 *   commit     the draft gets its name                       the point of no return
 *   leave      kill the copy silently
 *
 *   of a copy: no hold, and instead of leave
 *   go-on      undo save, lock, freeze and suspend           CANCEL
 */
import { rmSync } from 'node:fs';
import { MigrunError } from '../errors';
import { type Step, undoSteps } from '../migration/driver';
import { reasonsOfNeighbours } from '../migration/local-connections';
import { awaitOrphans } from '../migration/orphans';
import { endLease, requireLeases, suspendPeers } from '../migration/peers';
import { describeArrival, examine, undoExamine } from '../migration/preflight';
import { reasonOfError, refusal } from '../migration/refusal';
import { describeState, killCopy, STAND_STILL } from '../migration/stand-still';
import { forgetWaiting } from '../migration/waiting';
import { native } from '../native/index';
import { gatherProcesses } from '../program/facts';
import { readClusterKey } from '../protocol/channel/index';
import type { Reason } from '../vocabulary/reason';
import type { CheckpointContext, CheckpointRequest } from './context';
import { makeDraft, nameDraft } from './draft';
import { sealSecrets } from './keys';
import { describeCheckpoint } from './manifest';
import { encodeSecrets } from './secrets';
import { writeImage } from './write-image';

/** What the program closed just before its freeze has mostly arrived by now. */
const LAST_ORPHANS_PATIENCE_MS = 1_000;
/** A console that takes nothing for so long gets again from the next one what it was sent. */
const CONSOLE_PATIENCE_MS = 2_000;

// preflight

async function preflight(context: CheckpointContext): Promise<void> {
  await examine(
    context,
    () =>
      Promise.resolve([...reasonsOfKey(context), ...makeDraft(context),
        ...reasonsOfNeighbours(context.connections, context.host)]),
  );
}

function reasonsOfKey({ tools }: CheckpointContext): Reason[] {
  try {
    readClusterKey(tools.config.clusterKeyFile);
    return [];
  } catch (error) {
    if (error instanceof MigrunError) return [reasonOfError(error)];
    throw error;
  }
}

/** The question is over before the draft goes: nobody must take its absence for an answer. */
function undoPreflight(context: CheckpointContext): void {
  context.journal.answered(context.migration);
  rmSync(context.draft, { force: true });
  undoExamine(context);
}

// write

async function write(context: CheckpointContext): Promise<void> {
  const { facts, program, request, migration, tools, draft, folder } = context;
  if (facts !== undefined) context.facts = { ...facts, processes: gatherProcesses(program.cgroup) };
  const orphans = await awaitOrphans(program.cgroup, LAST_ORPHANS_PATIENCE_MS);
  if (orphans.length > 0) throw refusal(orphans);
  await program.consoleSettled(CONSOLE_PATIENCE_MS);
  const state = await describeState(context);
  const clusterKey = readClusterKey(tools.config.clusterKeyFile);
  if (!request.leaveRunning) context.heldUntil = new Date(Date.now() + request.holdMs);
  // Whoever has a copy's image must not speak for the program that runs on.
  const secrets = encodeSecrets({
    arrival: describeArrival(context),
    state: request.leaveRunning ? { ...state, tickets: [] } : state,
  });
  const sealed = sealSecrets(clusterKey, migration, secrets);
  try {
    context.bytes = await writeImage(
      draft,
      folder,
      sealed,
      clusterKey,
      (files) => describeCheckpoint(context, clusterKey, files),
    );
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new MigrunError('E_CHECKPOINT_FILE', `${context.file} cannot be written: ${code ?? message}`, {
      hint: code === 'ENOSPC' ? 'make room there, or choose another place; the program runs on' : 'the program runs on',
      cause,
    });
  }
}

// hold

async function hold(context: CheckpointContext): Promise<void> {
  requireLeases(context);
  endLease(context);
  await context.renewal; // a peer answers for its last round only
  context.leased = false;
  native.socketLock(context.liveFds, 0);
  context.round++;
  await suspendPeers(
    context,
    [...context.suspended.values()].map(({ connection }) => connection),
    context.request.holdMs,
  );
  requireLeases(context);
}

// commit

async function commit(context: CheckpointContext): Promise<void> {
  const { draft, file, tools, request } = context;
  if (request.leaveRunning) requireLeases(context);
  await nameDraft(draft, file, tools.log);
}

// leave, go on

async function leave(context: CheckpointContext): Promise<void> {
  await forgetWaiting(context);
  killCopy(context);
  context.journal.answered(context.migration);
  rmSync(context.folder, { recursive: true, force: true });
}

async function goOn(context: CheckpointContext): Promise<void> {
  await undoSteps(STAND_STILL, context, () => undefined, context.tools.log);
  undoPreflight(context);
}

const LEAVING_STEPS: readonly Step<CheckpointContext>[] = [
  { name: 'preflight', run: preflight, undo: undoPreflight },
  ...STAND_STILL,
  { name: 'write', run: write },
  { name: 'hold', run: hold },
  { name: 'commit', run: commit, pointOfNoReturn: true },
  { name: 'leave', run: leave },
];

const COPY_STEPS: readonly Step<CheckpointContext>[] = [
  { name: 'preflight', run: preflight, undo: undoPreflight },
  ...STAND_STILL,
  { name: 'write', run: write },
  { name: 'commit', run: commit, pointOfNoReturn: true },
  { name: 'go-on', run: goOn },
];

export function checkpointSteps({ leaveRunning }: CheckpointRequest): readonly Step<CheckpointContext>[] {
  return leaveRunning ? COPY_STEPS : LEAVING_STEPS;
}
