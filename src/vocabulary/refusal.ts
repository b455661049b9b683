/**
 * Why a migration is refused, in words: the errors and answers of others become reasons, and reasons become one error.
 */
import { MigrunError } from '../errors';
import { type Connection, connectionText } from './endpoint';

/** A program with ten thousand sockets of a kind that does not move has ten thousand reasons. */
const TOLD_OF_ONE_CODE = 10;

/** What a peer's agent answers, or its silence. */
const WHY_NOT: Record<string, (address: string) => string> = {
  'no-agent': (address) => `no migrun agent answers on ${address}; start one there: migrun agent`,
  'no-socket': (address) => `${address} knows no such connection; is there address translation between?`,
  'no-owner': (address) => `on ${address} no process has its end open`,
  busy: () => 'the program at its other end is migrating itself, or suspended; try again later',
  suspended: () => 'the program is suspended; migrun resume comes first',
  'not-held': (address) =>
    `${address} does not hold it any more, or is out of reach; without it: migrun restore --again`,
  moved: () => 'it has followed this checkpoint already, to where that was restored',
  claimed: () => 'this checkpoint is just being restored, by another command',
  'not-permitted': (address) => `${address} does not permit it`,
};

const CODES: Record<string, string> = {
  busy: 'E_PEER_BUSY',
  suspended: 'E_SUSPENDED',
  moved: 'E_CHECKPOINT_USED',
  claimed: 'E_CHECKPOINT_USED',
  'not-held': 'E_CHECKPOINT_OVER',
};

/** Gives one reason for all connections to a host that cannot follow for the same cause. */
export function reasonsOfPeers(peers: readonly { connection: Connection; status: string }[]): Reason[] {
  const alike = new Map<string, { connection: Connection; status: string; others: number }>();
  for (const { connection, status } of peers) {
    const cause = `${status} ${connection.remote.address}`;
    const known = alike.get(cause);
    if (known === undefined) alike.set(cause, { connection, status, others: 0 });
    else known.others++;
  }
  return [...alike.values()].map(({ connection, status, others }) => {
    const which = `${connectionText(connection)}${others === 0 ? '' : ` and ${others} more to that host`}`;
    const why = WHY_NOT[status]?.(connection.remote.address) ?? status;
    return { code: CODES[status] ?? 'E_PEER', message: `${which} cannot follow: ${why}` };
  });
}

export function reasonOfError({ code, message, hint }: MigrunError): Reason {
  return { code, message: hint === undefined ? message : `${message}; ${hint}` };
}

/**
 * All reasons, at least one, in one error, whose code is the first one's. If many have the same code, it tells the
 * first ones.
 */
export function refusal(reasons: readonly Reason[], hint = 'the program runs on where it is'): MigrunError {
  const [first, ...others] = reasons as [Reason, ...Reason[]];
  const message = others.length === 0 ? first.message : [`${reasons.length} reasons:`, ...linesOf(reasons)].join('\n');
  return new MigrunError(first.code, message, { hint });
}

function linesOf(reasons: readonly Reason[]): string[] {
  const counts = new Map<string, number>();
  const told = reasons.flatMap(({ code, message }) => {
    const count = (counts.get(code) ?? 0) + 1;
    counts.set(code, count);
    return count > TOLD_OF_ONE_CODE ? [] : [`  ${code}: ${message}`];
  });
  const untold = [...counts].filter(([, count]) => count > TOLD_OF_ONE_CODE);
  return [...told, ...untold.map(([code, count]) => `  ${code}: and ${count - TOLD_OF_ONE_CODE} more`)];
}

export interface Reason {
  /** A stable code; docs/errors.md has the table. */
  readonly code: string;
  readonly message: string;
}
