/** What this host lacks for a program that wants to come. */
import { statSync } from 'node:fs';
import type { Config } from '../../config';
import { judge } from '../../kinds/arriving';
import { NewAddresses } from '../../kinds/ends';
import { native } from '../../native/index';
import type { Arrival } from '../../protocol/control/index';
import type { Reason } from '../../vocabulary/refusal';

export async function judgeArrival({ addresses: from, needs }: Arrival, config: Config): Promise<Reason[]> {
  return [...judgeCriu(config), ...(await judge(needs, addressesHere(from)))];
}

/** Gives this host's addresses in place of another's. */
export function addressesHere(from: readonly string[]): NewAddresses {
  return new NewAddresses(new Set(from), (address) => native.socketRouteSource(address));
}

function judgeCriu({ criu }: Config): Reason[] {
  if (statSync(criu, { throwIfNoEntry: false }) !== undefined) return [];
  return [{ code: 'E_NO_CRIU', message: `this host has no CRIU at ${criu}; run tools/setup there` }];
}
