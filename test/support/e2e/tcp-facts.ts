/** What the kernel says of a TCP connection: ss(8), by INET_DIAG_INFO and INET_DIAG_SKMEMINFO. */
import type { Host } from './host.js';

export interface TcpFacts {
  /** What the handshake agreed on, and the congestion control. */
  readonly agreed: {
    readonly timestamps: boolean;
    readonly sack: boolean;
    readonly windowScales: string;
    readonly congestion: string;
  };
  /** sk_rcvbuf, sk_sndbuf. */
  readonly receiveBuffer: number;
  readonly sendBuffer: number;
  /** The most that it offers: rcv_ssthresh. */
  readonly window: number;
  /** Segments. */
  readonly segmentBytes: number;
  readonly congestionWindow: number;
}

/** The facts of the only connection of this host that has this port at either end; NaN where there is none. */
export async function tcpFacts(host: Host, port: string): Promise<TcpFacts> {
  const { stdout } = await host.run(['ss', '-Htmino', 'state', 'established',
    `( sport = :${port} or dport = :${port} )`]);
  const number = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? NaN);
  return {
    agreed: {
      timestamps: /\bts\b/.test(stdout),
      sack: /\bsack\b/.test(stdout),
      windowScales: /wscale:(\S+)/.exec(stdout)?.[1] ?? '',
      congestion: /\b(reno|cubic|bbr)\b/.exec(stdout)?.[1] ?? '',
    },
    receiveBuffer: number(/skmem:\([^)]*\brb(\d+)/),
    sendBuffer: number(/skmem:\([^)]*\btb(\d+)/),
    window: number(/rcv_ssthresh:(\d+)/),
    segmentBytes: number(/\bmss:(\d+)/),
    congestionWindow: number(/\bcwnd:(\d+)/),
  };
}
