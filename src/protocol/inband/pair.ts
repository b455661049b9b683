/** What this agent shares with one other agent. */

import type { Connection } from '../../vocabulary/endpoint';
import { encodeHello, encodeWelcome, type Parties, refuseHello, welcomeChecks } from './handshake';
import { derivePairKey, deriveSendingKey, keyId, type KeyPair } from './keys';
import type { Carried, Hello, PairMessage, Welcome } from './messages';
import { encodePayload } from './payload';
import { type Refusal, refuseSealed, seal, type Sealed, type Stamp, StampChecker, Stamper } from './seal';

export class Pair {
  readonly peerId: string;
  readonly key: Buffer;
  private readonly sendingKey: Buffer;
  private readonly receivingKey: Buffer;
  private readonly stamper: Stamper;
  private readonly checker: StampChecker;

  /** Throws MalformedMessage where the other's public key is none. */
  constructor(readonly own: KeyPair, readonly peerPublicKey: Buffer, clusterKey: Buffer | null) {
    this.peerId = keyId(peerPublicKey);
    this.key = derivePairKey(own, peerPublicKey, clusterKey);
    this.sendingKey = deriveSendingKey(this.key, own.publicKey);
    this.receivingKey = deriveSendingKey(this.key, peerPublicKey);
    this.stamper = new Stamper(this.sendingKey);
    this.checker = new StampChecker(this.receivingKey);
  }

  seal(message: PairMessage): Carried {
    return seal(this.stamper, this.own.id, { type: message.type, flags: 0 }, encodePayload(message));
  }

  refuse(sealed: Sealed): Refusal | null {
    return refuseSealed(this.checker, sealed);
  }

  /** A proved HELLO. */
  hello(hello: Hello, ends: Connection): Carried {
    return encodeHello(hello, this.own.publicKey, { stamper: this.stamper, parties: this.asking(ends) });
  }

  refuseHello(hello: Hello, stamp: Stamp, ends: Connection): Refusal | null {
    return refuseHello(this.checker, hello, stamp, this.answering(ends));
  }

  welcome(welcome: Welcome, ends: Connection): Carried {
    return encodeWelcome(welcome, this.sendingKey, this.answering(ends));
  }

  welcomeChecks(welcome: Welcome, mac: Buffer, ends: Connection): boolean {
    return welcomeChecks(welcome, mac, this.receivingKey, this.asking(ends));
  }

  private asking({ local, remote, udp }: Connection): Parties {
    return {
      askerKey: this.own.publicKey,
      answererKey: this.peerPublicKey,
      asker: local,
      answerer: remote,
      udp: udp === true,
    };
  }

  private answering({ local, remote, udp }: Connection): Parties {
    return {
      askerKey: this.peerPublicKey,
      answererKey: this.own.publicKey,
      asker: remote,
      answerer: local,
      udp: udp === true,
    };
  }
}
