/**
 * The kinds of things that move, in the order in which each step asks them; what is undone is undone in the reverse
 * order. docs/kinds.md has a row for each. CONTRIBUTING.md says how to add one.
 *
 * What the order must keep: edges are looked at before the accept queues are emptied; at the target sockets are bound
 * before connections are revived, both before the late options are set, and these before the queues are filled.
 */
import { affinity } from './affinity';
import { console } from './console';
import { fileLocks } from './descriptors/file-locks';
import { files } from './descriptors/files';
import { pipes } from './descriptors/pipes';
import { unix } from './descriptors/unix';
import { epoll } from './epoll';
import type { Kind } from './kind';
import { processes } from './processes';
import { registry } from './registry';
import { obstacles } from './sockets/obstacles';
import { socketOptions } from './sockets/options';
import { acceptQueues } from './tcp/accept-queues';
import { bound } from './tcp/bound';
import { connecting } from './tcp/connecting';
import { connections } from './tcp/connections';
import { orphans } from './tcp/orphans';
import { timers } from './timers';
import { udp } from './udp/udp';

export const KINDS: readonly Kind[] = [
  processes,
  affinity,
  console,
  files,
  fileLocks,
  pipes,
  unix,
  timers,
  epoll,
  registry,
  obstacles,
  bound,
  connecting,
  connections,
  udp,
  socketOptions,
  acceptQueues,
  orphans,
];
