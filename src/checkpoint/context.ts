/** What a checkpoint has in hand, step by step. */
import { statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Phase } from '../migration/driver';
import type { MigrationTools, MovingProgram } from '../migration/program';
import { SourceContext } from '../migration/source-context';
import type { Journal } from '../program/journal';
import type { CheckpointReport } from '../protocol/control/index';

export interface CheckpointRequest {
  /** An absolute path: the file, or a folder for it. */
  readonly out: string;
  /** How long the peers hold. */
  readonly holdMs: number;
  /** The program goes on with its connections; what is written is a copy. */
  readonly leaveRunning: boolean;
}

export class CheckpointContext extends SourceContext {
  readonly file: string;
  /** The image is written here, and gets its name when it is whole. */
  readonly draft: string;
  /** null: nobody holds for it. */
  heldUntil: Date | null = null;
  bytes = 0;

  constructor(
    program: MovingProgram,
    tools: MigrationTools,
    journal: Journal,
    readonly request: CheckpointRequest,
  ) {
    super(program, tools, journal);
    this.file = fileFor(request.out, program.identity.id);
    this.draft = join(dirname(this.file), `.${basename(this.file)}.${this.migration.slice(0, 8)}.draft`);
  }

  report(phases: Phase[]): CheckpointReport {
    const { migration, program, file, heldUntil, saved, bytes, frozenAt } = this;
    return {
      checkpoint: migration,
      program: program.identity.id,
      file,
      heldUntil: heldUntil?.toISOString() ?? null,
      phases,
      connections: saved.length,
      bytes,
      frozenMs: performance.now() - frozenAt,
    };
  }
}

/** The file for what was asked for: in a folder, one named by the program and the time. */
function fileFor(out: string, program: string, now = new Date()): string {
  if (statSync(out, { throwIfNoEntry: false })?.isDirectory() !== true) return out;
  return join(out, `${program}-${now.toISOString().replace(/[-:]|\.\d+/g, '')}.migrun`);
}
