/** In-band messages on the addresses of connections and conversations (native/inband/inband.h). */
import type { Endpoint } from '../vocabulary/endpoint';

export interface InbandSegment {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** 0 on UDP, as ack is. */
  readonly seq: number;
  readonly ack: number;
  /** The option's content after kind, length and ExID. */
  readonly option: Buffer;
  readonly body: Buffer;
}

export interface InbandEndpoint {
  /** Sends one segment (ACK flag set); seq is of the first body byte. Throws on a send error. */
  send(segment: InbandSegment): void;
  close(): void;
}

export interface NativeInband {
  /** One raw socket of this family, filtered to our option (kind 253, ExID "MGSK"), or on UDP to datagrams of ours. */
  openInband(family: 4 | 6, onSegment: (segment: InbandSegment) => void, protocol?: 'udp'): InbandEndpoint;
}
