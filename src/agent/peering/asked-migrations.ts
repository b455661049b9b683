/**
 * Migrations that this host's programs ask for, as their source, or as their target in the source's name: the agents at
 * the other ends in each, and what is being asked of them now; of agents that are not in any yet, too.
 */

import type { PeerTicket, ResumeRequest } from '../../protocol/control/index';
import { BoundedMap, Conversation, freshCounter } from '../../protocol/inband';
import type { Carried, Introduced, Locked, Move, MoveMessage, Outcome, Pair, Part,
  Working } from '../../protocol/inband';
import { type Connection, connectionName } from '../../vocabulary/endpoint';
import type { Host } from './host';
import type { Carrier, Segments } from './segments';

const MAX_MIGRATIONS = 256;

type Role = ResumeRequest['role'];
/** All that peers answer. */
type Answer = MoveMessage | Locked | Working | Introduced;

/** A connection as it was before the move. */
interface Affected {
  readonly connection: Connection;
  readonly token: string;
}

/** One other agent, in one migration. */
export interface Party {
  readonly move: Move;
  /** By connectionName. */
  readonly affected: Map<string, Affected>;
}

interface Question<A> {
  readonly deadlineMs: number;
  readonly firstIntervalMs?: number;
  /** How many numbered requests it consists of. */
  readonly requests: number;
  /** Any of these connections takes the segments there. */
  readonly carriers: readonly Carrier[];
  readonly request: (request: number, from: number) => Carried;
  readonly onAnswer: (message: Answer, conversation: Conversation<A>) => void;
}

export class AskedMigrations {
  /** By role and migration; then by the other agent's key id. */
  private readonly migrations = new BoundedMap<string, Map<string, Party>>(MAX_MIGRATIONS);
  private readonly listeners = new Map<string, Set<(answer: Answer) => void>>();
  private readonly conversations = new Set<{ stop(): void }>();
  private closed = false;

  constructor(private readonly host: Host, private readonly segments: Segments) {}

  parties(role: Role, migration: string): Party[] {
    return [...(this.migrations.get(migrationName(role, migration))?.values() ?? [])];
  }

  /** The agent of this pair, as the source's peer; from now on it is one. */
  join(pair: Pair, migration: string): Party {
    const parties = this.begin('source', migration);
    const known = parties.get(pair.peerId);
    if (known !== undefined) return known;
    const move = this.host.keyring.moveAway(pair, migration, freshCounter());
    const party: Party = { move, affected: new Map() };
    parties.set(pair.peerId, party);
    return party;
  }

  /** Makes the source's peers those of the target, too, which this host is. */
  adopt(migration: string, tickets: readonly PeerTicket[]): void {
    const parties = this.begin('target', migration);
    for (const { ticket, connections } of tickets) {
      if (ticket.migration !== migration || parties.has(ticket.peerId)) continue;
      const affected = new Map(connections.map((each) => [connectionName(each.connection), each]));
      parties.set(ticket.peerId, { move: this.host.keyring.moveHere(ticket), affected });
    }
  }

  /** What a target needs to resume a migration whose peers were locked from here. */
  tickets(migration: string): PeerTicket[] {
    return this.parties('source', migration).map(({ move, affected }) => ({
      ticket: move.ticket,
      connections: [...affected.values()],
    }));
  }

  /** Its keys go: nothing more can be said in it from here. */
  forget(migration: string): void {
    for (const role of ['source', 'target'] as const) {
      for (const { move } of this.parties(role, migration)) this.host.keyring.forget(move);
      this.migrations.delete(migrationName(role, migration));
    }
  }

  /** Asks this agent about a migration, or about what it has of a group. */
  async converse<A>(agent: string, about: string, question: Question<A>): Promise<Outcome<A>> {
    if (this.closed) return { complete: false, answers: [] };
    const { carriers, request, onAnswer, ...options } = question;
    const conversation = new Conversation<A>({
      clock: this.host.clock,
      ...options,
      transmit: (number, from) => this.segments.sendOnOne(request(number, from), carriers),
    });
    const name = listenerName(agent, about);
    const listener = (message: Answer) => onAnswer(message, conversation);
    const listeners = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, listeners.add(listener));
    this.conversations.add(conversation);
    try {
      return await conversation.start().outcome;
    } finally {
      this.conversations.delete(conversation);
      listeners.delete(listener);
      if (listeners.size === 0) this.listeners.delete(name);
    }
  }

  /** Something that the keyring has checked, from this agent. */
  onAnswer(agent: string, message: Answer): void {
    const about = 'migration' in message ? message.migration : message.group;
    for (const listener of this.listeners.get(listenerName(agent, about)) ?? []) listener(message);
  }

  close(): void {
    this.closed = true;
    for (const conversation of this.conversations) conversation.stop();
  }

  private begin(role: Role, migration: string): Map<string, Party> {
    const name = migrationName(role, migration);
    const parties = this.migrations.get(name) ?? new Map<string, Party>();
    this.migrations.set(name, parties);
    return parties;
  }
}

function migrationName(role: Role, migration: string): string {
  return `${role} ${migration}`;
}

function listenerName(agent: string, about: string): string {
  return `${agent} ${about}`;
}

/** The entries of all parts that have arrived. */
export function entriesByToken<
  Entry extends { readonly token: string },
>({ answers }: Outcome<Part<Entry>>): Map<string, Entry> {
  return new Map(answers.flat().flatMap(({ entries }) => entries.map((entry) => [entry.token, entry])));
}
