/**
 * A restore: a program comes back from a file. Whoever asks for it, on any host that has the file and the cluster key,
 * is its source; the target takes it as it takes a program that moves (migration/target.ts), and the peers, that hold,
 * follow to where it is.
 *
 *   step       here                            target                           peers
 *   preflight  read and check all of it; ask   judge, start CRIU                keep what they hold for this restore
 *   transfer   stream the images               write, check the hash
 *   restore                                    CRIU, revive, fill queues
 *   commit     ask                             ask the peers; journal; answer   the same; the point of no return
 *   resume                                     RESUME; release; thaw            rebind
 */
import { randomBytes } from 'node:crypto';
import type { Config } from '../config';
import { MigrunError } from '../errors';
import type { Logger } from '../log';
import type { Step } from '../migration/driver';
import { sendImages } from '../migration/images';
import { lostPeers } from '../migration/lost-peers';
import { peersOf } from '../migration/moved-peers';
import { openTarget, type Target } from '../migration/open-target';
import { awaitOutcome } from '../migration/outcome';
import { encodeState, hasPeer, STATE_FILE } from '../migration/state';
import { type Arrival, expectType, type ResumedPeer } from '../protocol/control/index';
import { refusal } from '../vocabulary/refusal';
import { SECRETS } from './layout';
import { type Image, imageChunks } from './read-image';

const JUDGE_TIMEOUT_MS = 30_000;
/** The target asks the peers once more. */
const COMMIT_TIMEOUT_MS = 30_000;
const AS_IT_WAS = 'the checkpoint is as it was';

export class RestoreContext {
  /** Of this attempt: a checkpoint may need several. */
  readonly migration = randomBytes(16).toString('hex');
  target: Target | undefined;
  received: Promise<void> = Promise.resolve();
  bytes = 0;
  /** Connections whose peers did not follow. */
  lost: ResumedPeer[] = [];

  constructor(
    readonly image: Image,
    readonly clusterKey: Buffer,
    readonly to: { host: string; port: number },
    /** Where some peers hold no more, too, or where it was restored there before. */
    readonly again: boolean,
    readonly config: Config,
    readonly log: Logger,
  ) {}

  openTarget(): Target {
    if (this.target === undefined) throw new MigrunError('E_INTERNAL', 'the target is not open');
    return this.target;
  }
}

async function preflight(context: RestoreContext): Promise<void> {
  const { image, migration, config, to } = context;
  if (image.manifest.heldUntil === null && image.manifest.connections.length > 0) {
    throw new MigrunError(
      'E_CHECKPOINT_COPY',
      `${image.path} is a copy of a program that went on with its connections`,
      { hint: AS_IT_WAS },
    );
  }
  context.target = await openTarget(config, to, migration, image.arrival.program.id);
  const answer = await context.target.channel.request({
    type: 'arrive',
    arrival: { ...image.arrival, migration, checkpoint: checkpointOf(context) },
  }, { timeoutMs: JUDGE_TIMEOUT_MS });
  const { reasons } = expectType(answer, 'judged');
  if (reasons.length > 0) throw refusal(reasons, AS_IT_WAS);
}

function checkpointOf({ image: { manifest, state }, again }: RestoreContext): Arrival['checkpoint'] {
  const peers = state.connections.filter(hasPeer).map(({ saved: { local, remote, sndUna, rcvNxt } }) => ({
    connection: { local, remote },
    sndUna,
    rcvNxt,
  }));
  return { id: manifest.checkpoint, tickets: state.tickets, peers, again };
}

function undoPreflight({ target }: RestoreContext): void {
  target?.channel.destroy();
}

async function transfer(context: RestoreContext): Promise<void> {
  const { image, clusterKey } = context;
  const state = encodeState(image.state);
  const images = image.manifest.files.filter(({ name }) => name !== SECRETS).map(({ name, size }) => ({ name, size }));
  async function* chunks(): AsyncGenerator<Buffer> {
    yield state;
    yield* imageChunks(image, clusterKey);
  }
  const { bytes, received } = await sendImages(context.openTarget().channel, [{ name: STATE_FILE, size: state.length },
    ...images], chunks());
  Object.assign(context, { bytes, received });
}

async function restore(context: RestoreContext): Promise<void> {
  await context.received;
  expectType(await context.openTarget().channel.request({ type: 'restore' }), 'restored');
}

async function commit({ target, migration, to, config, log }: RestoreContext): Promise<void> {
  try {
    await target?.channel.request({ type: 'commit' }, { timeoutMs: COMMIT_TIMEOUT_MS });
  } catch (error) {
    log.warn({ err: error }, 'no answer to the commit; asking for the outcome');
    if ((await awaitOutcome(config, to, migration)) === 'committed') return;
    throw new MigrunError('E_TARGET_LOST', `${to.host} failed before the program ran there`, {
      hint: AS_IT_WAS,
      cause: error,
    });
  }
}

/** Whatever becomes of the channel: from here on the target needs nobody. */
async function resume(context: RestoreContext): Promise<void> {
  const { image, log } = context;
  const { channel } = context.openTarget();
  try {
    for await (const incoming of channel) {
      if (incoming.kind !== 'message' || incoming.message.type !== 'resumed') continue;
      context.lost = lostPeers(peersOf(image.state), incoming.message.peers);
      return;
    }
  } catch (error) {
    log.warn({ err: error }, 'the target went away after the commit');
  } finally {
    channel.destroy();
  }
}

export const RESTORE_STEPS: readonly Step<RestoreContext>[] = [
  { name: 'preflight', run: preflight, undo: undoPreflight },
  { name: 'transfer', run: transfer },
  { name: 'restore', run: restore },
  { name: 'commit', run: commit, pointOfNoReturn: true },
  { name: 'resume', run: resume },
];
