/** What a migration's source has in hand besides: its target. */
import { MigrunError } from '../errors';
import type { Journal } from '../program/journal';
import type { MigrationReport, ResumedPeer } from '../protocol/control/index';
import type { Endpoint } from '../vocabulary/endpoint';
import type { Phase } from './driver';
import type { Target } from './open-target';
import type { MigrationTools, MovingProgram } from './program';
import { SourceContext } from './source-context';

export class MigrationContext extends SourceContext {
  target: Target | undefined;
  /** Where the target has the connections' local ends, in the order of `saved`. */
  locals: Endpoint[] = [];
  /** Connections whose peers did not follow, from the commit on. */
  lost: ResumedPeer[] = [];
  bytes = 0;
  /** The target has the images, whole. */
  received: Promise<void> = Promise.resolve();
  /** When the target said that it runs there; where it did not, when the source knew the rest. */
  runsAt: number | undefined;

  constructor(
    program: MovingProgram,
    tools: MigrationTools,
    journal: Journal,
    readonly to: { host: string; port: number },
  ) {
    super(program, tools, journal);
  }

  report(phases: Phase[]): MigrationReport {
    const { migration, program, to, saved, bytes, frozenAt, runsAt, lost } = this;
    return {
      migration,
      program: program.identity.id,
      target: to.host,
      phases,
      connections: saved.length,
      bytes,
      frozenMs: (runsAt ?? performance.now()) - frozenAt,
      lost,
    };
  }

  openTarget(): Target {
    if (this.target === undefined) throw new MigrunError('E_INTERNAL', 'the target is not open');
    return this.target;
  }
}
