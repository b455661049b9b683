/**
 * A restore: a program comes back from a file. Whoever asks for it, on any host that has the file and the cluster key,
 * is its source. The target takes it as it takes a program that moves (migration/arriving/target.ts), and the peers,
 * which hold its connections, follow to where it is.
 *
 *   step       here                            target                           peers
 *   preflight  read and check all of it; ask   judge, start CRIU; claim         give what they hold to this restore
 *   transfer   stream the images               write, check the hash
 *   restore                                    CRIU, revive, fill queues
 *   commit     ask                             claim again; journal; answer     the same; the point of no return
 *   resume                                     RESUME; release; thaw            rebind
 */
import { randomBytes } from 'node:crypto';
import type { Config } from '../config';
import { MigrunError } from '../errors';
import { savedPeers } from '../kinds/saved';
import type { Logger } from '../log';
import type { Step } from '../migration/driver';
import { lostPeers } from '../migration/leaving/peers';
import { type Address, TargetLink } from '../migration/leaving/target-link';
import { encodeState, STATE_FILE } from '../migration/state';
import type { Arrival, ResumedPeer } from '../protocol/control/index';
import { RESTORE_COMMIT_TIMEOUT_MS, RESTORE_JUDGE_TIMEOUT_MS } from '../times';
import { refusal } from '../vocabulary/refusal';
import { SECRETS } from './layout';
import { connectionsIn } from './manifest';
import { type Image, imageChunks } from './read-image';

const AS_IT_WAS = 'the checkpoint is as it was';

export class Restore {
  /** The name of this attempt: a checkpoint may need several. */
  readonly migration = randomBytes(16).toString('hex');
  readonly target: TargetLink;
  /** How many bytes were sent, once the transfer is done. */
  bytes = 0;
  /** The connections whose peers did not follow, once the resume is done. */
  lost: readonly ResumedPeer[] = [];

  constructor(
    readonly image: Image,
    readonly clusterKey: Buffer,
    readonly to: Address,
    /** It is restored also where some peers hold no more, or where it was restored there before. */
    readonly again: boolean,
    config: Config,
    readonly log: Logger,
  ) {
    this.target = new TargetLink(config, to, this.migration);
  }
}

type Reads<Name extends keyof Restore> = Pick<Restore, Name>;

async function preflight({ image, migration, target, again }: Reads<
  'image' | 'migration' | 'target' | 'again'
>): Promise<void> {
  if (image.manifest.heldUntil === null && connectionsIn(image.manifest).length > 0) {
    const message = `${image.path} is a copy of a program that went on with its connections`;
    throw new MigrunError('E_CHECKPOINT_COPY', message, { hint: AS_IT_WAS });
  }
  await target.open(image.arrival.program.id);
  const arrival = { ...image.arrival, migration, checkpoint: checkpointOf(image, again) };
  const reasons = await target.judge(arrival, RESTORE_JUDGE_TIMEOUT_MS);
  if (reasons.length > 0) throw refusal(reasons, AS_IT_WAS);
}

/** UDP sockets hold nothing, so nobody is asked whether they do. */
function checkpointOf({ manifest, state }: Image, again: boolean): Arrival['checkpoint'] {
  const peers = savedPeers(state.kinds).filter(({ connection }) => connection.udp !== true);
  return { id: manifest.checkpoint, tickets: state.tickets, peers, again };
}

function undoPreflight({ target }: Reads<'target'>): void {
  target.close();
}

async function transfer({ image, clusterKey, target }: Reads<'image' | 'clusterKey' | 'target'>): Promise<
  Reads<'bytes'>
> {
  const state = encodeState(image.state);
  const images = image.manifest.files.filter(({ name }) => name !== SECRETS).map(({ name, size }) => ({ name, size }));
  async function* chunks(): AsyncGenerator<Buffer> {
    yield state;
    yield* imageChunks(image, clusterKey);
  }
  return { bytes: await target.send([{ name: STATE_FILE, size: state.length }, ...images], chunks()) };
}

async function restore({ target }: Reads<'target'>): Promise<void> {
  await target.restore();
}

async function commit({ target, to, log }: Reads<'target' | 'to' | 'log'>): Promise<void> {
  const committed = await target.commit(
    RESTORE_COMMIT_TIMEOUT_MS,
    (error) => log.warn({ err: error }, 'no answer to the commit; asking for the outcome'),
  );
  if (!committed)
    throw new MigrunError('E_TARGET_LOST', `${to.host} failed before the program ran there`, { hint: AS_IT_WAS });
}

/** Whatever becomes of the channel: from here on the target needs nobody. */
async function resume({ image, target, log }: Reads<'image' | 'target' | 'log'>): Promise<Partial<Reads<'lost'>>> {
  try {
    const peers = savedPeers(image.state.kinds).map(({ connection }) => connection);
    return { lost: lostPeers(peers, await target.resumed()) };
  } catch (error) {
    log.warn({ err: error }, 'the target went away after the commit');
    return {};
  } finally {
    target.close();
  }
}

export const RESTORE_STEPS: readonly Step<Restore>[] = [
  { name: 'preflight', run: preflight, undo: undoPreflight },
  { name: 'transfer', run: transfer },
  { name: 'restore', run: restore },
  { name: 'commit', run: commit, pointOfNoReturn: true },
  { name: 'resume', run: resume },
];
