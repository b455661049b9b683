/** Which connections of this host belong to which program elsewhere: what other agents' HELLOs have told. */

import { type Connection, connectionName } from '../../../vocabulary/endpoint';
import type { Host } from '../host';
import type { Location } from '../sockets';

/** So many connections, those that have ended included, are remembered before the first look for ended ones. */
const FIRST_SWEEP = 10_000;

/** What an agent says of a connection: it is `token` of its program `group`. */
export interface Naming {
  readonly agent: string;
  readonly group: string;
  readonly token: string;
  /** The connection as this host has it, with the addresses of the wire. */
  readonly connection: Connection;
}

export interface Registration extends Naming {
  location: Location;
}

export class Registrations {
  private readonly byConnection = new Map<string, Registration>();
  private readonly byGroup = new Map<string, Map<string, Registration>>();
  /** Twice as many as lived at the last sweep: above it, half of them may have ended. */
  private nextSweep = FIRST_SWEEP;

  constructor(private readonly host: Pick<Host, 'native'>) {}

  get size(): number {
    return this.byConnection.size;
  }

  /**
   * Replaces an earlier one of this connection; where the same is told again, the earlier object stays: a lock may have
   * it.
   */
  add(registration: Registration): void {
    const name = connectionName(registration.connection);
    const known = this.byConnection.get(name);
    if (known !== undefined && isSame(known, registration)) {
      known.location = registration.location;
      return;
    }
    if (known !== undefined) this.remove(known);
    if (this.size >= this.nextSweep) this.sweep();
    const group = this.byGroup.get(groupName(registration)) ?? new Map<string, Registration>();
    this.byGroup.set(groupName(registration), group.set(registration.token, registration));
    this.byConnection.set(name, registration);
  }

  find(connection: Connection): Registration | undefined {
    return this.byConnection.get(connectionName(connection));
  }

  of(agent: string, group: string): Registration[] {
    return [...(this.byGroup.get(groupName({ agent, group }))?.values() ?? [])];
  }

  count(agent: string, group: string): number {
    return this.byGroup.get(groupName({ agent, group }))?.size ?? 0;
  }

  remove(registration: Registration): void {
    const name = connectionName(registration.connection);
    if (this.byConnection.get(name) === registration) this.byConnection.delete(name);
    const group = this.byGroup.get(groupName(registration));
    if (group?.get(registration.token) !== registration) return;
    group.delete(registration.token);
    if (group.size === 0) this.byGroup.delete(groupName(registration));
  }

  /**
   * Forgets connections that have ended, so that what strangers can make us keep is bounded by this host's connections.
   */
  private sweep(): void {
    const alive = new Set(this.host.native.diagTcpConnections().map(({ connection }) => connectionName(connection)));
    for (const [name, registration] of this.byConnection) if (!alive.has(name)) this.remove(registration);
    this.nextSweep = Math.max(FIRST_SWEEP, 2 * this.size);
  }
}

function isSame(one: Registration, other: Registration): boolean {
  return one.agent === other.agent && one.group === other.group && one.token === other.token;
}

/** Names a program elsewhere: agents choose their programs' group ids each for itself. */
export function groupName({ agent, group }: Pick<Naming, 'agent' | 'group'>): string {
  return `${agent} ${group}`;
}
