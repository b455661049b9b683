/** In-band messages: pure; sockets and timers are the agent's. */

export { BoundedMap } from './bounded-map';
export { type Clock, systemClock } from './clock';
export { Conversation, type Outcome } from './conversation';
export { DROP_REASONS } from './drops';
export { Introduction } from './introduction';
export { Keyring, type Received } from './keyring';
export * from './messages';
export { freshCounter, Move, moveTicketSchema } from './move';
export { Pair } from './pair';
export { answerWindow, splitIntoParts } from './parts';
export { HELD_ENTRIES, INTRODUCE_ENTRIES, LOCKED_ENTRIES, RESUME_ENTRIES } from './payload';
export { Replies } from './replies';
