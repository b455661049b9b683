/** The asking side of SUSPEND, RESUME, CANCEL and ASK: as a program's source host, or its target in the source's name. */

import { randomBytes } from 'node:crypto';
import { BoundedMap, Conversation, freshCounter, RESUME_ENTRIES, splitIntoParts } from '../../protocol/inband';
import type { Carried, Clock, Keyring, Move, MoveMessage, Outcome, Pair } from '../../protocol/inband';
import type { Resume, Resumed, ResumeEntry, Suspended, SuspendedEntry, Told, Working } from '../../protocol/inband';
import { type Connection, connectionName, onTheWire } from '../../vocabulary/endpoint';
import type { Introductions } from './hello/ask';
import type { Carrier, Segments } from './segments';
import type { AskRequest, CancelledAgent, CancelRequest, MovedConnection, PeerStatus, PeerTicket } from './types';
import type { ResumedConnection, ResumeRequest, SuspendedConnection, SuspendRequest } from './types';

const MAX_MIGRATIONS = 256;
/** However long another host says that it works. */
const MAX_WORK_MS = 120_000;

/** A connection as it was before the move. */
interface Affected {
  readonly connection: Connection;
  readonly token: string;
}

/** One other agent, in one migration. */
interface Party {
  readonly move: Move;
  /** By connectionName. */
  readonly affected: Map<string, Affected>;
}

/** One of a party's, under way to its new address. */
interface Moving extends MovedConnection {
  readonly token: string;
}

type Answer = MoveMessage | Suspended | Working;
type ResumePart = Pick<Resume, 'address' | 'peerAddress' | 'entries'>;

export class Moves {
  /** By role and migration; then by the other agent's key id. */
  private readonly migrations = new BoundedMap<string, Map<string, Party>>(MAX_MIGRATIONS);
  private readonly listeners = new Map<string, Set<(answer: Answer) => void>>();
  private readonly conversations = new Set<{ stop(): void }>();

  constructor(
    private readonly clock: Clock,
    private readonly keyring: Keyring,
    private readonly segments: Segments,
    private readonly introductions: Introductions,
  ) {}

  async suspend(request: SuspendRequest): Promise<SuspendedConnection[]> {
    const asked = new Map<Party, Pair>();
    const affected = request.connections.map((connection) => {
      const known = this.introductions.find(request.group, connection);
      if (known === undefined || known.pair === null) return null;
      const party = this.partyAsSource(known.pair, request.migration);
      party.affected.set(connectionName(connection), { connection: onTheWire(connection), token: known.token });
      asked.set(party, known.pair);
      return { party, token: known.token };
    });
    const entries = new Map<Party, Outcome<Suspended>>();
    await Promise.all(
      [...asked].map(async ([party, pair]) => entries.set(party, await this.suspendAt(party, pair, request))),
    );
    const byToken = new Map([...entries].map(([party, outcome]) => [party, entriesByToken(outcome)]));
    return request.connections.map((connection, index) => {
      const found = affected[index];
      if (found === null || found === undefined) return { connection, status: 'no-agent', rcvNxt: 0, agent: '' };
      const { party, token } = found;
      const entry = byToken.get(party)?.get(token);
      const missing: PeerStatus = entries.get(party)?.complete === true ? 'no-socket' : 'no-agent';
      const agent = party.move.ticket.peerId;
      return { connection, status: entry?.status ?? missing, rcvNxt: entry?.rcvNxt ?? 0, agent };
    });
  }

  /** What the target needs to resume a migration that was suspended here. */
  tickets(migration: string): PeerTicket[] {
    const parties = this.migrations.get(migrationName('source', migration)) ?? new Map<string, Party>();
    return [...parties.values()].map(({ move, affected }) => ({
      ticket: move.ticket,
      connections: [...affected.values()],
    }));
  }

  async resume(request: ResumeRequest): Promise<ResumedConnection[]> {
    if (request.role === 'target') this.adopt(request.migration, request.tickets ?? []);
    const parties = [...(this.migrations.get(migrationName(request.role, request.migration))?.values() ?? [])];
    const moving = new Map(parties.map((party) => [party, [] as Moving[]]));
    const places = new Map(
      parties.flatMap((party) => [...party.affected].map(([name, { token }]) => [name, { party, token }])),
    );
    const found = request.moved.map((moved) => {
      const place = places.get(connectionName(moved.connection));
      if (place !== undefined) moving.get(place.party)?.push({ ...moved, token: place.token });
      return place;
    });
    const answered = new Map<Party, Map<string, PeerStatus>>();
    await Promise.all(
      parties.map(async (party) => answered.set(party, await this.resumeAt(party, moving.get(party) ?? [], request))),
    );
    return request.moved.map(({ connection }, index) => {
      const at = found[index];
      return { connection, status: (at && answered.get(at.party)?.get(at.token)) ?? 'no-agent' };
    });
  }

  /**
   * As target, before anything is here: what the peers hold, and keep for this restore. no-socket: not any more.
   * Everybody asks the same agent first, and the others only where that one is his: of two, one gets all of them.
   */
  async ask(request: AskRequest): Promise<ResumedConnection[]> {
    this.adopt(request.migration, request.tickets);
    const asked = new Set(request.connections.map(({ connection }) => connectionName(connection)));
    const isAsked = ({ affected }: Party): boolean => [...affected.keys()].some((name) => asked.has(name));
    const parties = [...this.parties('target', request.migration).values()].filter(isAsked).sort(byPeerId);
    const told = new Map<string, PeerStatus>();
    const note = async (party: Party): Promise<void> => {
      for (const [name, status] of await this.askOne(party, request)) told.set(name, status);
    };
    if (parties[0] !== undefined) await note(parties[0]);
    const isOthers = [...told.values()].includes('claimed');
    if (!isOthers) await Promise.all(parties.slice(1).map(note));
    const unheard: PeerStatus = isOthers ? 'claimed' : 'no-agent';
    return request.connections.map(({ connection }) => ({
      connection,
      status: told.get(connectionName(connection)) ?? unheard,
    }));
  }

  /** Where nobody answers, the lease does the same. */
  async cancel({ migration, deadlineMs }: CancelRequest): Promise<CancelledAgent[]> {
    const parties = [...(this.migrations.get(migrationName('source', migration))?.values() ?? [])];
    const cancelled = await Promise.all(
      parties.map(async ({ move, affected }): Promise<CancelledAgent> => {
        const { complete } = await this.converse<true>(move, deadlineMs, 1, {
          carriers: [...affected.values()].map(({ connection }) => connection),
          request: () => move.seal({ type: 'cancel', migration }),
          answer: (message, conversation) => {
            if (message.type === 'cancelled') conversation.accept(0, 0, 1, true);
          },
        });
        return { agent: move.ticket.peerId, status: complete ? 'ok' : 'no-agent' };
      }),
    );
    this.forget(migration);
    return cancelled;
  }

  /** Its keys go: nothing more can be said in it from here. */
  forget(migration: string): void {
    for (const role of ['source', 'target'] as const) {
      const name = migrationName(role, migration);
      for (const { move } of this.migrations.get(name)?.values() ?? []) this.keyring.forget(move);
      this.migrations.delete(name);
    }
  }

  /** Something that the keyring has checked, from this agent. */
  onAnswer(agent: string, message: Answer): void {
    for (const listener of this.listeners.get(listenerName(agent, message.migration)) ?? []) listener(message);
  }

  close(): void {
    for (const conversation of this.conversations) conversation.stop();
  }

  private suspendAt(party: Party, pair: Pair, request: SuspendRequest): Promise<Outcome<Suspended>> {
    const { migration, group, leaseMs, round } = request;
    return this.converse<Suspended>(party.move, request.deadlineMs, 1, {
      carriers: [...party.affected.values()].map(({ connection }) => connection),
      request: (_one, from) => pair.seal({ type: 'suspend', migration, group, leaseMs, round, from }),
      answer: (message, conversation) => {
        if (message.type === 'suspended' && message.round === round)
          conversation.accept(0, message.part, message.parts, message);
        if (message.type === 'working' && message.round === round) conversation.bear(Math.min(message.ms, MAX_WORK_MS));
      },
    });
  }

  /** By connectionName. */
  private async askOne(
    { move, affected }: Party,
    { migration, claim, leaseMs, connections, deadlineMs }: AskRequest,
  ): Promise<Map<string, PeerStatus>> {
    const nonce = randomBytes(4).readUInt32BE();
    const { answers, complete } = await this.converse<Told>(move, deadlineMs, 1, {
      carriers: connections
        .filter(({ connection }) => affected.has(connectionName(connection)))
        .map(({ to, sndUna, rcvNxt }) => ({ ...to, at: { sndUna, rcvNxt } })),
      request: (_one, from) => move.seal({ type: 'ask', migration, claim, leaseMs, nonce, from }),
      answer: (message, conversation) => {
        if (message.type === 'told' && message.nonce === nonce)
          conversation.accept(0, message.part, message.parts, message);
      },
    });
    const statuses = new Map(
      answers.flat().flatMap(({ entries }) => entries.map(({ token, status }) => [token, status])),
    );
    return new Map(
      [...affected].map(([name, { token }]) => [name, statuses.get(token) ?? (complete ? 'no-socket' : 'no-agent')]),
    );
  }

  private async resumeAt(
    party: Party,
    moved: readonly Moving[],
    { migration, group, role, deadlineMs }: ResumeRequest,
  ): Promise<Map<string, PeerStatus>> {
    if (moved.length === 0) return new Map();
    const parts = resumeParts(moved);
    const { answers } = await this.converse<Resumed>(party.move, deadlineMs, parts.length, {
      carriers: moved.map(({ connection, to }) => (role === 'source' ? connection : to)),
      request: (part) =>
        party.move.seal({ type: 'resume', migration, group, ...parts[part]!, part, parts: parts.length }),
      answer: (message, conversation) => {
        if (message.type !== 'resumed') return;
        if (!namesSame(message.entries, parts[message.part]?.entries)) return;
        conversation.accept(message.part, 0, 1, message);
      },
    });
    return new Map(answers.flat().flatMap(({ entries }) => entries.map(({ token, status }) => [token, status])));
  }

  private async converse<A>(
    move: Move,
    deadlineMs: number,
    requests: number,
    talk: {
      /** Any of them takes the segments there. */
      readonly carriers: readonly Carrier[];
      readonly request: (request: number, from: number) => Carried;
      readonly answer: (message: Answer, conversation: Conversation<A>) => void;
    },
  ): Promise<Outcome<A>> {
    const conversation = new Conversation<A>({
      clock: this.clock,
      deadlineMs,
      requests,
      transmit: (request, from) => this.segments.sendOnOne(talk.request(request, from), talk.carriers),
    });
    const name = listenerName(move.ticket.peerId, move.migration);
    const listener = (message: Answer) => talk.answer(message, conversation);
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

  private partyAsSource(pair: Pair, migration: string): Party {
    const parties = this.parties('source', migration);
    const known = parties.get(pair.peerId);
    if (known !== undefined) return known;
    const party = { move: this.keyring.moveAway(pair, migration, freshCounter()), affected: new Map() };
    parties.set(pair.peerId, party);
    return party;
  }

  private adopt(migration: string, tickets: readonly PeerTicket[]): void {
    const parties = this.parties('target', migration);
    for (const { ticket, connections } of tickets) {
      if (ticket.migration !== migration || parties.has(ticket.peerId)) continue;
      const move = this.keyring.moveHere(ticket);
      const affected = new Map(connections.map((each) => [connectionName(each.connection), each]));
      parties.set(ticket.peerId, { move, affected });
    }
  }

  private parties(role: ResumeRequest['role'], migration: string): Map<string, Party> {
    const name = migrationName(role, migration);
    const parties = this.migrations.get(name) ?? new Map<string, Party>();
    this.migrations.set(name, parties);
    return parties;
  }
}

/** The addresses are a part's; connections may have moved to more than one. */
function resumeParts(moved: readonly Moving[]): ResumePart[] {
  const byAddresses = new Map<string, { address: string; peerAddress: string; entries: ResumeEntry[] }>();
  for (const { to, token, peerHas } of moved) {
    const { local, remote } = onTheWire(to);
    const name = `${local.address} ${remote.address}`;
    const part = byAddresses.get(name) ?? { address: local.address, peerAddress: remote.address, entries: [] };
    part.entries.push({ token, port: local.port, peerHas });
    byAddresses.set(name, part);
  }
  return [...byAddresses.values()].flatMap(({ entries, ...addresses }) =>
    splitIntoParts(entries, RESUME_ENTRIES).map((part) => ({ ...addresses, entries: part.entries }))
  );
}

function namesSame(answered: readonly { token: string }[], asked: readonly { token: string }[] | undefined): boolean {
  return answered.length === asked?.length && answered.every(({ token }, index) => token === asked[index]?.token);
}

/** An order that all hosts have in common. */
function byPeerId(one: Party, other: Party): number {
  return one.move.ticket.peerId < other.move.ticket.peerId ? -1 : 1;
}

function entriesByToken({ answers }: Outcome<Suspended>): Map<string, SuspendedEntry> {
  return new Map(answers.flat().flatMap(({ entries }) => entries.map((entry) => [entry.token, entry])));
}

function migrationName(role: ResumeRequest['role'], migration: string): string {
  return `${role} ${migration}`;
}

function listenerName(agent: string, migration: string): string {
  return `${agent} ${migration}`;
}
