/**
 * A migration as its source drives it, in ten steps. The table at the end is the algorithm; the steps are above it, and
 * in files of their own the preflight, and those from lock-peers to save (stand-still.ts).
 *
 *   step        source                                     target                      peers
 *   preflight   facts, rules; ask target and peers         judge, start CRIU           HELLO
 *   lock-peers  LOCK to all                                                            lock with a lease
 *   freeze      freeze the cgroup
 *   lock        lock all sockets; empty the accept queues
 *   dump        CRIU, leaving it frozen
 *   save        save all sockets
 *   transfer    stream the images                          write, check the hash
 *   restore                                                CRIU, revive, fill queues
 *   commit      journal; locks permanent; ask              journal; answer             the point of no return
 *   resume      RESUME on the old path; kill the copy      RESUME on the new; thaw     rebind
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MigrunError } from '../../errors';
import { quiesce, refuseAway } from '../../kinds/look';
import type { MigrationTools, MovingProgram } from '../../kinds/program';
import { countConnections, movedPeers, savedPeers } from '../../kinds/saved';
import { addressesBeside } from '../../program/facts';
import type { Journal } from '../../program/journal';
import { expectType, type MigrationReport, type ResumedPeer } from '../../protocol/control/index';
import { agentTimeout, COMMIT_TIMEOUT_MS, JUDGE_TIMEOUT_MS, LAST_QUIESCE_TIMEOUT_MS, RESUME_DEADLINE_MS,
  TARGET_HEAD_START_MS } from '../../times';
import type { Endpoint } from '../../vocabulary/endpoint';
import { refusal } from '../../vocabulary/refusal';
import type { Phase, Step } from '../driver';
import { listImages, readImages } from '../images';
import { encodeState, type MovingState, STATE_FILE } from '../state';
import { Departure } from './departure';
import { lostPeers, untilUnlocked } from './peers';
import { describeArrival, examine, startCriu, undoExamine } from './preflight';
import { rehearseTransfer } from './rehearsal';
import { describeState, STAND_STILL } from './stand-still';
import { type Address, TargetLink } from './target-link';

export class Migration extends Departure {
  readonly target: TargetLink;
  /** How many bytes were sent, once the transfer is done. */
  bytes = 0;
  /** The local ends that the peers' connections have at the target, once the restore is done. */
  locals: readonly Endpoint[] = [];
  /** The connections whose peers did not follow, once the resume is done. */
  lost: readonly ResumedPeer[] = [];

  constructor(program: MovingProgram, tools: MigrationTools, journal: Journal, to: Address) {
    super(program, tools, journal);
    this.target = new TargetLink(tools.config, to, this.migration);
  }

  report(phases: Phase[]): MigrationReport {
    const { migration, program, target, state, bytes, frozen, lost } = this;
    return {
      migration,
      program: program.identity.id,
      target: target.to.host,
      phases,
      connections: state === undefined ? 0 : countConnections(state.kinds),
      bytes,
      frozenMs: (target.runsAt ?? performance.now()) - frozen.frozenAt,
      lost: [...lost],
    };
  }
}

type Reads<Name extends keyof Migration> = Pick<Migration, Name>;

// preflight

async function preflight(migration: Migration): Promise<Pick<Migration, 'facts' | 'criu' | 'host'>> {
  const { program, target, folder } = migration;
  let { host } = migration;
  const facts = await examine(migration, async (facts) => {
    await target.open(program.identity.id);
    host = addressesBeside(target.ownAddress);
    const judged = await target.judge(describeArrival(migration, facts, host), JUDGE_TIMEOUT_MS);
    return [...refuseAway(facts, host), ...judged];
  });
  await rehearseTransfer(target.channel, join(folder, 'rehearsal'));
  return { facts, host, criu: await startCriu(migration) };
}

function undoPreflight(migration: Migration): void {
  migration.target.close();
  undoExamine(migration);
}

// transfer

async function transfer(migration: Migration): Promise<Pick<Migration, 'state' | 'bytes'>> {
  const { folder, target } = migration;
  const state = await describeState(migration);
  writeFileSync(join(folder, STATE_FILE), encodeState(state), { mode: 0o600 });
  return { state, bytes: await target.send(listImages(folder), readImages(folder)) };
}

// restore

async function restore({ program, target }: Reads<'program' | 'target'>): Promise<Pick<Migration, 'locals'>> {
  const [locals, left] = await Promise.all([target.restore(), quiesce(program.cgroup, LAST_QUIESCE_TIMEOUT_MS)]);
  if (left.length > 0) throw refusal(left);
  return { locals };
}

// commit

type Commits = Reads<'migration' | 'program' | 'tools' | 'journal' | 'peers' | 'frozen' | 'target'>;

async function commit({ migration, program, tools, journal, peers, frozen, target }: Commits): Promise<void> {
  const { host, port } = target.to;
  peers.requireLeases();
  peers.endLease();
  frozen.endLease();
  journal.asking(migration, { program: program.identity.id, target: host, port });
  const committed = await target.commit(
    COMMIT_TIMEOUT_MS,
    (error) => tools.log.warn({ err: error }, 'no answer to the commit; asking for the outcome'),
  );
  if (committed) return;
  journal.answered(migration);
  throw new MigrunError('E_TARGET_LOST', `${host} failed before it took over`, { hint: 'the program runs on here' });
}

// resume

async function resume(migration: Migration): Promise<Pick<Migration, 'lost'>> {
  const { peers, target, tools, journal } = migration;
  const state = migration.state as MovingState;
  const answer = target.resumed();
  const [told, answered] = await Promise.allSettled([tellPeers(migration, answer), answer]);
  const following = [told, answered].flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
  const lost = lostPeers(savedPeers(state.kinds).map(({ connection }) => connection), following);
  // If the target's answer is missing, its successor there may still reach them.
  const reset = answered.status === 'fulfilled' ? lost.map(({ connection }) => connection) : [];
  if (reset.length > 0) await untilUnlocked(peers.lastRenewal, peers.leaseMs);
  await migration.killCopy(reset);
  target.close();
  journal.answered(migration.migration); // not before: whoever follows us must not take the frozen copy for one that stays
  if (answered.status === 'rejected')
    tools.log.warn({ err: answered.reason as unknown }, 'the target went away after the commit');
  return { lost };
}

type Tells = Reads<'migration' | 'program' | 'tools' | 'state' | 'locals'>;

/** RESUME on the old path, for those whom the target did not reach at once. */
async function tellPeers(
  { migration, program, tools, state, locals }: Tells,
  target: Promise<ResumedPeer[]>,
): Promise<ResumedPeer[]> {
  const { kinds, host, tickets } = state as MovingState;
  const headStart = new Promise<[]>((resolve) => setTimeout(resolve, TARGET_HEAD_START_MS, []));
  const reached = await Promise.race([target.catch(() => []), headStart]);
  const moved = movedPeers(savedPeers(kinds), locals, host);
  if (reached.filter(({ status }) => status === 'ok').length === moved.length) return [];
  const answer = await tools.agent.ask({
    type: 'resume',
    migration,
    group: program.identity.group,
    role: 'source',
    tickets,
    moved,
    deadlineMs: RESUME_DEADLINE_MS,
  }, agentTimeout(moved));
  return expectType(answer, 'resumed').peers;
}

export const MIGRATION_STEPS: readonly Step<Migration>[] = [
  { name: 'preflight', run: preflight, undo: undoPreflight },
  ...STAND_STILL,
  { name: 'transfer', run: transfer },
  { name: 'restore', run: restore },
  { name: 'commit', run: commit, pointOfNoReturn: true },
  { name: 'resume', run: resume },
];
