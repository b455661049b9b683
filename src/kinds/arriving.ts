/** All kinds' parts in one move, at the target: it asks them together, in the order of the table. */
import type { z } from 'zod';
import { MigrunError } from '../errors';
import type { Registry } from '../native/index';
import type { StdioEnds } from '../program/stdio';
import type { Endpoint } from '../vocabulary/endpoint';
import type { Reason } from '../vocabulary/refusal';
import type { NewAddresses } from './ends';
import type { Arriving, ArrivingProgram, Inherited, Kind, Late } from './kind';
import type { WantedByKind } from './look';
import type { SavedByKind } from './saved';
import { KINDS } from './table';

type Part = Arriving<unknown, unknown>;

/** Everything that this host lacks for what is wanted. Throws E_PROTOCOL where that is nothing that a kind wants. */
export async function judge(wanted: WantedByKind, addresses: NewAddresses): Promise<Reason[]> {
  const reasons = new Map<string, Reason>();
  for (const { name, needs } of KINDS) {
    if (needs === undefined) continue;
    // Two kinds may miss the same thing, a route say.
    for (const reason of await needs.judge(parse(name, needs.schema, wanted), addresses))
      reasons.set(reason.message, reason);
  }
  return [...reasons.values()];
}

function parse<Wanted>(name: string, schema: z.ZodType<Wanted>, wanted: WantedByKind): Wanted {
  const { data, error } = schema.safeParse(wanted[name]);
  if (error === undefined) return data;
  throw new MigrunError('E_PROTOCOL', `what the program needs of its ${name} is not in the words of this version`, {
    hint: 'use the same version of migrun on both hosts',
    cause: error,
  });
}

export class ArrivingKinds {
  private readonly parts: readonly { readonly kind: Kind; readonly part: Part }[];

  constructor() {
    this.parts = KINDS.flatMap((kind) => (kind.arrive === undefined ? [] : [{ kind, part: kind.arrive() }]));
  }

  ready(wanted: WantedByKind): Inherited[] {
    return this.parts.flatMap(({ kind: { name, needs }, part }) =>
      part.ready?.(needs === undefined ? undefined : parse(name, needs.schema, wanted)) ?? []
    );
  }

  /** Gives where the peers' connections have their local ends, in the order of `savedPeers`. */
  revive(saved: SavedByKind, program: ArrivingProgram): Endpoint[] {
    for (const { kind, part } of this.parts) part.prepare?.(saved[kind.name], program);
    return this.parts.flatMap(({ kind, part }) => part.revive?.(saved[kind.name], program) ?? []);
  }

  settle(saved: SavedByKind, program: ArrivingProgram): void {
    for (const { kind, part } of this.parts) part.settle?.(saved[kind.name], program);
  }

  /** Gives what `revive` gives; null: the process that had the connection was killed meanwhile. */
  pickUp(saved: SavedByKind, program: ArrivingProgram): (Endpoint | null)[] {
    return this.parts.flatMap(({ kind, part }) => part.pickUp?.(saved[kind.name], program) ?? []);
  }

  release(program: ArrivingProgram, late: Late): void {
    for (const { part } of this.parts) part.release?.(program, late);
    program.descriptors.close(this.unreleased());
  }

  releaseLate(program: ArrivingProgram, late: Late, registry: Registry | undefined): void {
    for (const { part } of this.parts) part.releaseLate?.(program, late, registry);
    program.descriptors.close(this.unreleased());
  }

  hasUnreleased(): boolean {
    return this.unreleased().length > 0;
  }

  giveUp(program: ArrivingProgram): void {
    for (const { part } of this.parts) part.giveUp?.();
    program.descriptors.close();
  }

  /** Gives the ends of stdio; undefined: they are the pod's pipes. */
  stdio(): StdioEnds | undefined {
    return this.parts.map(({ part }) => part.stdio?.()).find((ends) => ends !== undefined);
  }

  finish(): void {
    for (const { part } of this.parts) part.finish?.();
  }

  /** Undoes all of it; the program must be dead by then. */
  abandon(program: ArrivingProgram | undefined): void {
    for (const { part } of this.parts) part.abandon?.();
    program?.descriptors.closeSilently();
  }

  private unreleased(): number[] {
    return this.parts.flatMap(({ part }) => part.unreleased?.() ?? []);
  }
}
