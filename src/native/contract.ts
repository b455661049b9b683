/**
 * What the native addon offers: a file here for each room of native/. The addon throws Error objects with `code` (an
 * errno name such as 'EPERM') and `syscall`.
 *
 * A function has the name of its C function: native.tcpSave is tcp_save() of native/tcp/tcp.h, which is its manual. The
 * exceptions have no C function: closeFd is close(2), and what waits on Node's event loop is the addon's own (watch...,
 * openInband, openMessageSocket), as are the objects of ownersLookAround and mapRegistry.
 */
import type { NativeEpoll } from './epoll';
import type { NativeFreeze } from './freeze';
import type { NativeInband } from './inband';
import type { NativeKernel } from './kernel';
import type { NativeLookup } from './lookup';
import type { NativeRegistry } from './registry';
import type { NativeSocket } from './socket';
import type { NativeAccept, NativeTcp } from './tcp';
import type { NativeUdp } from './udp';
import type { NativeUnix } from './unix';

export type * from './epoll';
export type * from './inband';
export type * from './kernel';
export type * from './lookup';
export { EPOLL_INODE } from './lookup';
export type * from './registry';
export type * from './socket';
export type * from './tcp';
export type * from './udp';
export type * from './unix';

export type Native = NativeSocket & NativeTcp & NativeAccept & NativeUdp & NativeUnix & NativeInband & NativeLookup
  & NativeFreeze & NativeEpoll & NativeKernel & NativeRegistry;
