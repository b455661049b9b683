/** Which connections of this host belong to which program elsewhere: what other agents' HELLOs have told. */

import type { Native } from '../../native/contract';
import { type Connection, connectionName } from '../../vocabulary/endpoint';
import type { Owner } from './sockets';

/** Of connections, and of the memory of ended ones, before that is looked through. */
const FIRST_SWEEP = 10_000;

export interface Registration {
  readonly agent: string;
  readonly group: string;
  readonly token: string;
  /** As this host has it, on the wire. */
  readonly connection: Connection;
  owner: Owner;
}

export class Registrations {
  private readonly byConnection = new Map<string, Registration>();
  private readonly byGroup = new Map<string, Map<string, Registration>>();
  /** Above it are as many that have ended as that live, or more. */
  private nextSweep = FIRST_SWEEP;

  constructor(private readonly native: Native) {}

  get size(): number {
    return this.byConnection.size;
  }

  /** In place of an earlier one of this connection; where that was told again, it stays the one that a suspension has. */
  add(registration: Registration): void {
    const name = connectionName(registration.connection);
    const known = this.byConnection.get(name);
    if (known !== undefined && isSame(known, registration)) {
      known.owner = registration.owner;
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

  /** Forgets connections that have ended, so that what strangers can make us keep is bounded by this host's connections. */
  private sweep(): void {
    const alive = new Set(this.native.diagTcpConnections().map(({ connection }) => connectionName(connection)));
    for (const [name, registration] of this.byConnection) if (!alive.has(name)) this.remove(registration);
    this.nextSweep = Math.max(FIRST_SWEEP, 2 * this.size);
  }
}

function isSame(one: Registration, other: Registration): boolean {
  return one.agent === other.agent && one.group === other.group && one.token === other.token;
}

function groupName({ agent, group }: { agent: string; group: string }): string {
  return `${agent} ${group}`;
}
