/**
 * A transfer for practice, in the preflight: what runs for the first time is slow, in both processes, in the agent
 * between them and in the TCP connection; better before anything stands still than in the pause.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Channel } from '../../protocol/channel/index';
import type { SupervisorMessage } from '../../protocol/control/index';
import { listImages, readImages, sendImages } from '../images';
import { encodeState, practiceState, STATE_FILE } from '../state';

/** After some rounds nothing gets faster any more. */
const ROUNDS = 4;
/** CRIU writes about so much for a small program. */
const FILES = 24;
const FILE_SIZE = 12 * 1024;

/** Makes `folder`, sends what is in it, and removes it. */
export async function rehearseTransfer(channel: Channel<SupervisorMessage>, folder: string): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    mkdirSync(folder, { mode: 0o700 });
    try {
      writeFileSync(join(folder, STATE_FILE), encodeState(practiceState()));
      for (let file = 0; file < FILES; file++) writeFileSync(join(folder, `image-${file}`), Buffer.alloc(FILE_SIZE));
      const { received } = await sendImages(channel, listImages(folder), readImages(folder), { rehearsal: true });
      await received;
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
}
