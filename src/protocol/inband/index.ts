/** In-band messages: pure; sockets and timers are the agent's. */

export * from './messages';
export { addressFromBytes, addressToBytes, encodeAddresses, type Endpoint } from './address';
export { generateKeyPair, keyId, type KeyPair } from './keys';
export { decodePayload, encodePayload, INTRODUCE_ENTRIES, RESUME_ENTRIES, SUSPENDED_ENTRIES, TOLD_ENTRIES } from './payload';
export { decodeHello, decodeWelcome, encodeHello, encodeWelcome } from './handshake';
export { Pair, type Ends } from './pair';
export { freshCounter, Move, moveTicketSchema, type MoveTicket } from './move';
export { Keyring, type KeyringOptions, type Received } from './keyring';
export { DROP_REASONS, type DropReason, type Drops } from './drops';
export { BoundedMap } from './bounded-map';
export { systemClock, type Clock } from './clock';
export { Conversation, type ConversationOptions, type Outcome } from './conversation';
export { Introduction, type IntroductionOptions, type Welcomed } from './introduction';
export { Replies, type Reply } from './replies';
export { ANSWER_WINDOW, answerWindow, splitIntoParts, type Part } from './parts';
export { MalformedMessage } from './wire';
