/** One end of a connection, and both. */

export interface Endpoint {
  /** Textual address, as inet_ntop prints it. An IPv4-mapped IPv6 address stays IPv6 ("::ffff:10.0.0.1"). */
  readonly address: string;
  readonly port: number;
}

export interface Connection {
  readonly local: Endpoint;
  readonly remote: Endpoint;
  /** Of UDP; else of TCP. */
  readonly udp?: boolean | undefined;
}
