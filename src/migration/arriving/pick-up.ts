/**
 * Finishing a migration on its target after whoever committed it has died before the thaw: all that it knew is in the
 * state that arrived, and in the sockets themselves. Whatever of it was done already is not harmed by being done again.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArrivingKinds } from '../../kinds/arriving';
import type { ArrivingProgram } from '../../kinds/kind';
import type { MigrationTools } from '../../kinds/program';
import { movedPeers, savedPeers } from '../../kinds/saved';
import type { Registry } from '../../native/index';
import { thawProgram } from '../../program/pod';
import { RestoredDescriptors } from '../../program/restored-descriptors';
import { PICK_UP_DEADLINE_MS } from '../../times';
import { decodeState, type MovingState, STATE_FILE } from '../state';
import { addressesHere } from './judge';
import { tally, tellPeers } from './tell-peers';

/** A committed program that is frozen still. */
export interface FrozenArrival {
  /** The folder that its images arrived in. */
  readonly folder: string;
  readonly cgroup: string;
  readonly registry: Registry | undefined;
}

/** The peers follow, the program runs. */
export async function pickUp({ folder, cgroup, registry }: FrozenArrival, tools: MigrationTools): Promise<MovingState> {
  const state = decodeState(readFileSync(join(folder, STATE_FILE)));
  const kinds = new ArrivingKinds();
  const program: ArrivingProgram = {
    cgroup,
    log: tools.log,
    descriptors: new RestoredDescriptors(cgroup),
    addresses: addressesHere(state.addresses),
    host: state.host,
    registry,
  };
  try {
    const locals = kinds.pickUp(state.kinds, program);
    const moved = movedPeers(savedPeers(state.kinds), locals, state.host);
    const peers = await tellPeers(tools, state, moved, PICK_UP_DEADLINE_MS);
    tools.log.info(tally(peers), 'resumed after a crash');
    kinds.release(program, { names: new Set(), leaseMs: 0 });
  } finally {
    try {
      kinds.giveUp(program);
    } finally {
      thawProgram(cgroup, registry); // whatever fails: nobody else would thaw it
    }
  }
  return state;
}
