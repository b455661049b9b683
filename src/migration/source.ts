/**
 * A migration as its source drives it, in ten steps. The table at the end is the algorithm; the steps are above it, and
 * in files of their own the preflight, and those from suspend to save (stand-still.ts).
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
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MigrunError } from '../errors';
import { native } from '../native/index';
import { expectType, type ResumedPeer } from '../protocol/control/index';
import { connectionText } from '../vocabulary/endpoint';
import type { Step } from './driver';
import { listImages, readImages, sendImages } from './images';
import { armReset, lostPeers, untilUnlocked } from './lost-peers';
import type { MigrationContext } from './migration-context';
import { movedPeers, peersOf } from './moved-peers';
import { awaitOrphans } from './orphans';
import { awaitOutcome } from './outcome';
import { agentPatience, endLease, requireLeases } from './peers';
import { preflight, undoPreflight } from './preflight';
import { refusal } from './refusal';
import { describeState, killCopy, STAND_STILL } from './stand-still';
import { encodeState, type MovingState, STATE_FILE } from './state';
import { forgetWaiting } from './waiting';

const COMMIT_TIMEOUT_MS = 10_000;
const RESUME_DEADLINE_MS = 5_000;
/** The target tells the peers too, and mostly is the first; twice the work for everybody would take longer. */
const HEAD_START_MS = 30;
/** What the program closed just before its freeze has mostly arrived by now. */
const LAST_ORPHANS_PATIENCE_MS = 1_000;

// transfer

async function transfer(context: MigrationContext): Promise<void> {
  writeFileSync(join(context.folder, STATE_FILE), encodeState(await describeState(context)), { mode: 0o600 });
  const { bytes, received } = await sendImages(
    context.openTarget().channel,
    listImages(context.folder),
    readImages(context.folder),
  );
  Object.assign(context, { bytes, received });
}

// restore

async function restore(context: MigrationContext): Promise<void> {
  const [answer, orphans] = await Promise.all([
    context.openTarget().channel.request({ type: 'restore' }),
    awaitOrphans(context.program.cgroup, LAST_ORPHANS_PATIENCE_MS),
    context.received,
  ]);
  context.locals = expectType(answer, 'restored').locals;
  if (orphans.length > 0) throw refusal(orphans);
}

// commit

async function commit(context: MigrationContext): Promise<void> {
  const { to, journal, migration, program } = context;
  requireLeases(context);
  endLease(context);
  context.leased = false;
  native.socketLock(context.liveFds, 0);
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

async function resume(context: MigrationContext): Promise<void> {
  const { journal, migration } = context;
  const target = awaitResumed(context);
  const [told, answered] = await Promise.allSettled([tellPeers(context, target), target]);
  context.lost = lostPeers(
    peersOf(movingOf(context)),
    [told, answered].flatMap((each) => (each.status === 'fulfilled' ? each.value : [])),
  );
  await forgetWaiting(context);
  // Where the target did not say, whoever takes over there may still reach them.
  const reset = new Set(answered.status === 'fulfilled' ? await resetLost(context) : []);
  killCopy(context, reset);
  context.target?.channel.destroy();
  journal.answered(migration); // not before: whoever follows us must not take the frozen copy for one that stays
  rmSync(context.folder, { recursive: true, force: true });
  if (answered.status === 'rejected')
    context.tools.log.warn({ err: answered.reason as unknown }, 'the target went away after the commit');
}

/** The descriptors of those whose peers will see a reset, once the copy here is dead. */
async function resetLost({ lost, saved, savedFds, tools, renewedAt = 0, leaseMs }: MigrationContext): Promise<
  number[]
> {
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

function movingOf({ saved, savedUdp, addresses, host }: MigrationContext): Pick<MovingState,
  'connections' | 'udp' | 'addresses' | 'host'>
{
  return { connections: saved, udp: savedUdp, addresses: [...addresses], host };
}

/** RESUME on the old path, for those whom the target did not reach at once. */
async function tellPeers(context: MigrationContext, target: Promise<ResumedPeer[]>): Promise<ResumedPeer[]> {
  const { migration, group, locals, tickets, tools } = context;
  const reached = await Promise.race([target.catch(() => []), new Promise<[]>((resolve) =>
    setTimeout(resolve, HEAD_START_MS, [])
  )]);
  const moved = movedPeers(movingOf(context), locals);
  if (reached.filter(({ status }) => status === 'ok').length === moved.length) return [];
  const answer = await tools.agent.ask({
    type: 'resume',
    migration,
    group,
    role: 'source',
    tickets,
    moved,
    deadlineMs: RESUME_DEADLINE_MS,
  }, agentPatience(moved));
  return expectType(answer, 'resumed').peers;
}

/** The target says when the program runs there, and then who followed. Should it go away instead, that changes nothing any more. */
async function awaitResumed(context: MigrationContext): Promise<ResumedPeer[]> {
  for await (const incoming of context.openTarget().channel) {
    if (incoming.kind !== 'message') continue;
    if (incoming.message.type === 'runs') context.runsAt = performance.now();
    if (incoming.message.type === 'resumed') return incoming.message.peers;
  }
  throw new MigrunError('E_TARGET_LOST', 'the target closed the channel after the commit');
}

export const SOURCE_STEPS: readonly Step<MigrationContext>[] = [
  { name: 'preflight', run: preflight, undo: undoPreflight },
  ...STAND_STILL,
  { name: 'transfer', run: transfer },
  { name: 'restore', run: restore },
  { name: 'commit', run: commit, pointOfNoReturn: true },
  { name: 'resume', run: resume },
];
