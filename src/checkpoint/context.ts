/** A program on its way into a file: what the steps of a checkpoint share besides a departure's. */
import { statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { MigrationTools, MovingProgram } from '../kinds/program';
import { countConnections } from '../kinds/saved';
import type { Phase } from '../migration/driver';
import { Departure } from '../migration/leaving/departure';
import type { Journal } from '../program/journal';
import type { CheckpointReport } from '../protocol/control/index';

export interface CheckpointRequest {
  /** An absolute path: the file, or a folder for it. */
  readonly out: string;
  /** How long the peers hold the connections. */
  readonly holdMs: number;
  /** The program goes on with its connections; what is written is a copy. */
  readonly leaveRunning: boolean;
}

export class Checkpoint extends Departure {
  readonly file: string;
  /** The image is written here, and gets its name when it is whole. */
  readonly draft: string;
  /** Until when the peers hold, known when the image is written; null: no peer does. */
  heldUntil: Date | null = null;
  /** The size of the image, known when it is written. */
  bytes = 0;

  constructor(program: MovingProgram, tools: MigrationTools, journal: Journal, readonly request: CheckpointRequest) {
    super(program, tools, journal);
    this.file = fileFor(request.out, program.identity.id);
    this.draft = join(dirname(this.file), `.${basename(this.file)}.${this.migration.slice(0, 8)}.draft`);
  }

  report(phases: Phase[]): CheckpointReport {
    const { migration, program, file, heldUntil, state, bytes, frozen } = this;
    return {
      checkpoint: migration,
      program: program.identity.id,
      file,
      heldUntil: heldUntil?.toISOString() ?? null,
      phases,
      connections: state === undefined ? 0 : countConnections(state.kinds),
      bytes,
      frozenMs: performance.now() - frozen.frozenAt,
    };
  }
}

/** Gives the file that was asked for; in a folder, one that is named by the program and the time. */
function fileFor(out: string, program: string, now = new Date()): string {
  if (statSync(out, { throwIfNoEntry: false })?.isDirectory() !== true) return out;
  return join(out, `${program}-${now.toISOString().replace(/[-:]|\.\d+/g, '')}.migrun`);
}
