/** In-band messages: pure; sockets and timers are the agent's. */

export { BoundedMap } from './bounded-map';
export { type Clock, systemClock } from './conversation';
export { Conversation, type Outcome } from './conversation';
export { answerWindow, splitIntoParts } from './conversation';
export { Introduction } from './introduction';
export { DROP_REASONS, Keyring, type Received } from './keyring';
export * from './messages';
export { freshCounter, Move, moveTicketSchema } from './move';
export { Pair } from './pair';
export { HELD_ENTRIES, INTRODUCE_ENTRIES, LOCKED_ENTRIES, RESUME_ENTRIES } from './payload';
