/** All kinds' parts in one move, at the source: the steps ask them together, in the order of the table. */
import { type Connection, connectionName } from '../vocabulary/endpoint';
import type { Reason } from '../vocabulary/refusal';
import { InsideEnds } from './ends';
import type { Facts, Frozen, Leaving, Received, WaitingEnd } from './kind';
import type { LeavingProgram } from './program';
import type { SavedByKind } from './saved';
import { KINDS } from './table';

export class LeavingKinds {
  private readonly parts: readonly { readonly name: string; readonly part: Leaving }[];

  constructor(program: LeavingProgram) {
    this.parts = KINDS.flatMap((kind) => {
      const part = kind.leave?.(program);
      return part === undefined ? [] : [{ name: kind.name, part }];
    });
  }

  async take(frozen: Frozen): Promise<void> {
    for (const { part } of this.parts) await part.take?.(frozen);
  }

  refuse(frozen: Frozen, facts: Facts): Reason[] {
    return this.each((part) => part.refuse?.(frozen, facts) ?? []);
  }

  excuses(peer: { connection: Connection; status: string }, waiting: readonly WaitingEnd[]): boolean {
    return this.parts.some(({ part }) => part.excuses?.(peer, waiting) === true);
  }

  /** Gives the connections without those that nobody needs be told of. */
  unexcused(connections: readonly Connection[]): Connection[] {
    return connections.filter((connection) => !this.parts.some(({ part }) => part.isExcused?.(connection) === true));
  }

  tidy(frozen: Frozen): void {
    for (const { part } of this.parts) part.tidy?.(frozen);
  }

  read(frozen: Frozen): void {
    for (const { part } of this.parts) part.read?.(frozen);
  }

  external(): string[] {
    return this.each((part) => part.external?.() ?? []);
  }

  nameless(frozen: Frozen): number[] {
    return this.each((part) => part.nameless?.(frozen) ?? []);
  }

  save(frozen: Frozen, received: Received): void {
    for (const { part } of this.parts) part.save?.(frozen, received);
  }

  state(frozen: Frozen, received: Received): SavedByKind {
    const states = this.parts.map(({ name, part }) => [name, part.state?.(frozen, received)] as const);
    return Object.fromEntries(states.filter(([, state]) => state !== undefined));
  }

  armResets(lost: readonly Connection[]): void {
    const names = new Set(lost.map(connectionName));
    for (const { part } of this.parts) part.armResets?.(names);
  }

  /** Gives our descriptors of the sockets whose end nobody may hear of. */
  async leave(): Promise<Set<number>> {
    const silent = new Set<number>();
    for (const { part } of this.parts) for (const fd of (await part.leave?.()) ?? []) silent.add(fd);
    return silent;
  }

  unsave(): void {
    for (const { part } of [...this.parts].reverse()) part.unsave?.();
  }

  /** Puts every kind back, whatever becomes of another; throws the first failure then. */
  async putBack(frozen: Frozen): Promise<void> {
    const failures: unknown[] = [];
    for (const { part } of [...this.parts].reverse()) {
      try {
        await part.putBack?.(frozen);
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  private each<Result>(ask: (part: Leaving) => readonly Result[]): Result[] {
    return this.parts.flatMap(({ part }) => ask(part));
  }
}

/**
 * What the other ends have received of our streams: the peers told it when they locked theirs, our own ends when they
 * are saved.
 */
export class ReceivedByOthers implements Received {
  private readonly saved: (Connection & { readonly rcvNxt: number })[] = [];
  private ends: InsideEnds<Connection & { readonly rcvNxt: number }> | undefined;

  constructor(private readonly told: ReadonlyMap<string, { readonly rcvNxt: number }>) {}

  note(saved: readonly (Connection & { readonly rcvNxt: number })[]): void {
    this.saved.push(...saved);
    this.ends = undefined;
  }

  byPeer(connection: Connection): number | undefined {
    return this.told.get(connectionName(connection))?.rcvNxt;
  }

  inside(connection: Connection): number | undefined {
    this.ends ??= new InsideEnds(this.saved);
    return this.ends.otherEnd(connection)?.rcvNxt;
  }
}
