/** Why a migration is refused, in words: the errors and answers of others become reasons, and reasons become one error. */
import { MigrunError } from '../errors';
import type { Connection } from '../native/index';
import { connectionText, type Reason } from './rules';

/** What a peer's agent answers, or its silence. */
const WHY_NOT: Record<string, (address: string) => string> = {
  'no-agent': (address) => `no migrun agent answers on ${address}; start one there: migrun agent`,
  'no-socket': (address) => `${address} knows no such connection; is there address translation between?`,
  'no-owner': (address) => `on ${address} no process holds its end`,
  busy: () => 'the program at its other end is migrating itself; try again',
  'not-permitted': (address) => `${address} does not permit it`,
};

export function reasonOfPeer({ connection, status }: { connection: Connection; status: string }): Reason {
  const why = WHY_NOT[status]?.(connection.remote.address) ?? status;
  return { code: status === 'busy' ? 'E_PEER_BUSY' : 'E_PEER', message: `${connectionText(connection)} cannot follow: ${why}` };
}

export function reasonOfError({ code, message, hint }: MigrunError): Reason {
  return { code, message: hint === undefined ? message : `${message}; ${hint}` };
}

/** All reasons, at least one, in one error; its code is the first one's. */
export function refusal(reasons: readonly Reason[]): MigrunError {
  const [first, ...others] = reasons as [Reason, ...Reason[]];
  const message = others.length === 0 ? first.message : [`${reasons.length} reasons:`, ...reasons.map(({ code, message: text }) => `  ${code}: ${text}`)].join('\n');
  return new MigrunError(first.code, message, { hint: 'the program runs on where it is' });
}
