/** In-band messages: pure; sockets and timers are the agent's. */

export { addressFromBytes, addressToBytes, encodeAddresses } from './address';
export { BoundedMap } from './bounded-map';
export { type Clock, systemClock } from './clock';
export { Conversation, type ConversationOptions, type Outcome } from './conversation';
export { DROP_REASONS, type DropReason, type Drops } from './drops';
export { decodeHello, decodeWelcome, encodeHello, encodeWelcome } from './handshake';
export { Introduction, type IntroductionOptions, type Welcomed } from './introduction';
export { Keyring, type KeyringOptions, type Received } from './keyring';
export { generateKeyPair, keyId, type KeyPair } from './keys';
export * from './messages';
export { freshCounter, Move, type MoveTicket, moveTicketSchema } from './move';
export { type Ends, Pair } from './pair';
export { ANSWER_WINDOW, answerWindow, type Part, splitIntoParts } from './parts';
export { decodePayload, encodePayload, INTRODUCE_ENTRIES, RESUME_ENTRIES, SUSPENDED_ENTRIES,
  TOLD_ENTRIES } from './payload';
export { Replies, type Reply } from './replies';
export { MalformedMessage } from './wire';
