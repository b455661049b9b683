/**
 * What the native addon offers: a file here for each room of native/. The addon throws Error objects with `code` (an
 * errno name such as 'EPERM') and `syscall`.
 *
 * A function has the name of its C function: native.tcpSave is tcp_save() of native/tcp/tcp.h, which is its manual. The
 * exceptions have no C function: closeFd is close(2), and what waits on Node's event loop is the addon's own (watch...,
 * openInband, openMessageSocket), as are the objects of ownersLookAround and mapRegistry.
 */
import { join } from 'node:path';
import { MigrunError } from '../errors';
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

// eslint-disable-next-line @typescript-eslint/no-require-imports
const nodeGypBuild = require('node-gyp-build') as (folder: string) => Native;
let loaded: Native | undefined;

/** A prebuilt addon for this platform, else what node-gyp built. Throws E_NO_ADDON. */
function load(): Native {
  try {
    return nodeGypBuild(join(__dirname, '..', '..'));
  } catch (cause) {
    throw new MigrunError(
      'E_NO_ADDON',
      `the native part does not load: ${(cause as Error).message.split('\n')[0] ?? ''}`,
      { hint: 'run tools/setup', cause },
    );
  }
}

/** The one place that loads the addon, at its first use: what goes wrong then is an error of whoever needed it. */
export const native: Native = new Proxy({} as Native, {
  get: (_target, name): unknown => Reflect.get(loaded ??= load(), name),
});
