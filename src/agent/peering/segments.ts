/**
 * In-band segments on a connection's own addresses.
 *
 * A segment of ours ends one byte before what the other kernel has acknowledged, so that it fails TCP's check of the
 * sequence number (RFC 9293 3.10.7.4) before its acknowledgement and window are looked at, and no byte of its body
 * can be taken for the stream's. An answer is made from what it answers: it ends one byte before what the asker's
 * kernel has received, and acknowledges what is old there, which TCP ignores. It needs no socket to look at.
 *
 * On the addresses of a UDP conversation a message is a datagram that no kernel gives to a socket
 * (native/inband/packet.h), and needs no numbers at all.
 */

import type { InbandEndpoint, InbandSegment, Sequences } from '../../native/index';
import { BoundedMap, type Carried } from '../../protocol/inband';
import { type Connection, connectionName, onTheWire, versionOf } from '../../vocabulary/endpoint';
import type { Host } from './host';

/** What the agent of another host has sent, and over what. */
export type ArrivedSegment = InbandSegment & { readonly udp: boolean };

/**
 * A connection that takes a segment to its other end. `at`: the sequence numbers that it has where it is; they serve
 * where this host has no such socket (yet). The numbers of one that is here count more: it may be another program's.
 */
export type Carrier = Connection & { readonly at?: Pick<Sequences, 'sndUna' | 'rcvNxt'> };

/** Connections whose last sequence numbers are remembered: they serve when the socket itself is gone. */
const MAX_REMEMBERED = 4096;

export class Segments {
  /** By protocol and family. */
  private readonly endpoints = new Map<string, InbandEndpoint>();
  private readonly lastSequences = new BoundedMap<string, Sequences>(MAX_REMEMBERED);

  constructor(private readonly host: Host, onSegment: (segment: ArrivedSegment) => void) {
    try {
      this.open(4, onSegment);
      this.open(6, onSegment);
    } catch (error) {
      if (this.endpoints.size > 0 && (error as { code?: unknown }).code === 'EAFNOSUPPORT') return;
      this.close();
      throw error;
    }
  }

  private open(family: 4 | 6, onSegment: (segment: ArrivedSegment) => void): void {
    for (const protocol of [undefined, 'udp'] as const) {
      const udp = protocol === 'udp';
      const endpoint = this.host.native.openInband(family, (segment) => onSegment({ ...segment, udp }), protocol);
      this.endpoints.set(endpointOf(family, udp), endpoint);
    }
  }

  /** False: not sent. Never throws: what is lost here is as lost as on the way. */
  send(carried: Carried, connection: Carrier): boolean {
    const { local, remote, udp } = onTheWire(connection);
    if (udp === true) return this.transmit(carried, true, { source: local, destination: remote, seq: 0, ack: 0 });
    const sequences = this.sequencesOf({ local, remote }, connection.at);
    if (sequences === null) return false;
    return this.transmit(carried, false, {
      source: local,
      destination: remote,
      seq: before(sequences.sndUna, carried.body.length),
      ack: sequences.rcvNxt,
    });
  }

  /** Sends on the first of these connections that takes it. */
  sendOnOne(carried: Carried, connections: Iterable<Carrier>): void {
    for (const connection of connections) if (this.send(carried, connection)) return;
  }

  answer(carried: Carried, asked: ArrivedSegment): void {
    this.transmit(carried, asked.udp, {
      source: asked.destination,
      destination: asked.source,
      seq: before(asked.ack, carried.body.length),
      ack: (asked.seq + asked.body.length) >>> 0,
    });
  }

  close(): void {
    for (const endpoint of this.endpoints.values()) endpoint.close();
    this.endpoints.clear();
  }

  private sequencesOf(connection: Connection, otherwise: Carrier['at']): Pick<Sequences, 'sndUna' | 'rcvNxt'> | null {
    const name = connectionName(connection);
    const sequences = this.host.native.tcpSequences(connection);
    if (sequences === null) return otherwise ?? this.lastSequences.get(name) ?? null;
    this.lastSequences.set(name, sequences);
    return sequences;
  }

  private transmit(carried: Carried, udp: boolean, header: Omit<InbandSegment, 'option' | 'body'>): boolean {
    const endpoint = this.endpoints.get(endpointOf(versionOf(header.source.address), udp));
    if (endpoint === undefined) return false;
    try {
      endpoint.send({ ...header, option: carried.option, body: carried.body });
      return true;
    } catch (error) {
      this.host.log.debug({ err: error, destination: header.destination }, 'in-band segment not sent');
      return false;
    }
  }
}

function endpointOf(family: 4 | 6, udp: boolean): string {
  return `${udp ? 'UDP' : 'TCP'} ${family}`;
}

/** Where a body of `length` bytes begins that ends one byte before `edge`. */
function before(edge: number, length: number): number {
  return (edge - length - 1) >>> 0;
}
