/** In-band messages: pure; sockets and timers are the agent's. */

export { addressFromBytes, addressToBytes, encodeAddresses } from './address';
export { BoundedMap } from './bounded-map';
export { type Clock, systemClock } from './clock';
export { Conversation, type Outcome } from './conversation';
export { type DropReason } from './drops';
export { decodeHello, decodeWelcome } from './handshake';
export { Introduction, type Welcomed } from './introduction';
export { Keyring, type Received } from './keyring';
export { generateKeyPair, keyId } from './keys';
export * from './messages';
export { freshCounter, Move, moveTicketSchema } from './move';
export { type Ends, Pair } from './pair';
export { ANSWER_WINDOW, answerWindow, splitIntoParts } from './parts';
export { decodePayload, encodePayload, INTRODUCE_ENTRIES, RESUME_ENTRIES, SUSPENDED_ENTRIES,
  TOLD_ENTRIES } from './payload';
export { Replies } from './replies';
