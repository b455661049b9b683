/**
 * Everything after HELLO and WELCOME: option {type, flags}, body {sender's key id, counter, payload, MAC}.
 * The MAC covers all that comes before it; its key belongs to one sender in one context, so neither a message sent
 * back to its sender nor one of another migration checks.
 */

import { mac, macMatches } from './keys';
import { type Carried, KEY_ID_BYTES, MAC_BYTES } from './messages';
import { SEAL_BYTES } from './payload';
import { decodeHeader, encodeHeader, type Header, MalformedMessage, Reader, Writer } from './wire';

const LABEL = Buffer.from('migrun sealed');
const WINDOW = 64n;
const ALL = (1n << WINDOW) - 1n;

/** What shows that a sender made something just now: a counter that it uses once, and a MAC over it and the rest. */
export interface Stamp {
  readonly counter: bigint;
  readonly mac: Buffer;
}

export type Refusal = 'not authenticated' | 'replayed';

/**
 * One sender in one key context. Each transmission, a repeated one too, takes a counter of its own. A sender that
 * goes on after a restart with a key it had kept must start above all that it used.
 */
export class Stamper {
  constructor(private readonly key: Buffer, private counter = 0n) {}

  stamp(parts: readonly Buffer[]): Stamp {
    this.counter += 1n;
    return { counter: this.counter, mac: stampMac(this.key, this.counter, parts) };
  }
}

/** The receiving end of a Stamper. */
export class StampChecker {
  private readonly window = new ReplayWindow();

  constructor(private readonly key: Buffer) {}

  /** null: believe it, once. */
  refuse(stamp: Stamp, parts: readonly Buffer[]): Refusal | null {
    if (!macMatches(stampMac(this.key, stamp.counter, parts), stamp.mac)) return 'not authenticated';
    return this.window.accept(stamp.counter) ? null : 'replayed';
  }
}

/** A sealed message, taken apart and not yet believed. */
export interface Sealed {
  readonly header: Header;
  readonly senderId: string;
  readonly payload: Buffer;
  readonly stamp: Stamp;
}

export function seal(stamper: Stamper, senderId: string, header: Header, payload: Buffer): Carried {
  const stamp = stamper.stamp(sealedParts(header, senderId, payload));
  const body = new Writer().hex(senderId, KEY_ID_BYTES).u64(stamp.counter).bytes(payload).bytes(stamp.mac).finish();
  return { option: encodeHeader(header), body };
}

/** Throws MalformedMessage. */
export function decodeSealed(carried: Carried): Sealed {
  const option = new Reader(carried.option);
  const header = decodeHeader(option);
  option.end();
  const body = new Reader(carried.body);
  if (body.remaining < SEAL_BYTES) throw new MalformedMessage('no room for a seal');
  const senderId = body.hex(KEY_ID_BYTES);
  const counter = body.u64();
  const payload = body.take(body.remaining - MAC_BYTES);
  return { header, senderId, payload, stamp: { counter, mac: body.take(MAC_BYTES) } };
}

export function refuseSealed(checker: StampChecker, { header, senderId, payload, stamp }: Sealed): Refusal | null {
  return checker.refuse(stamp, sealedParts(header, senderId, payload));
}

function sealedParts(header: Header, senderId: string, payload: Buffer): Buffer[] {
  return [LABEL, encodeHeader(header), Buffer.from(senderId, 'hex'), payload];
}

function stampMac(key: Buffer, counter: bigint, parts: readonly Buffer[]): Buffer {
  return mac(key, [new Writer().u64(counter).finish(), ...parts]);
}

/**
 * Accepts each counter once. Up to 63 behind the highest seen may still arrive late, older ones count as seen
 * (the sliding window of RFC 4303, 3.4.3). Only what was authenticated may be noted.
 */
export class ReplayWindow {
  private highest = 0n;
  /** Bit n: `highest - n` was seen. Counter 0 is never sent. */
  private seen = 1n;

  /** False: seen already, or too old to tell. */
  accept(counter: bigint): boolean {
    if (counter > this.highest) {
      const step = counter - this.highest;
      this.seen = step >= WINDOW ? 1n : ((this.seen << step) | 1n) & ALL;
      this.highest = counter;
      return true;
    }
    const behind = this.highest - counter;
    if (behind >= WINDOW) return false;
    const bit = 1n << behind;
    if ((this.seen & bit) !== 0n) return false;
    this.seen |= bit;
    return true;
  }
}
