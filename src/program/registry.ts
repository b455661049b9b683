/**
 * The shim's registry of a program (preload/registry/registry.h), reached through init, which keeps it open; and what
 * only the shim saw: options of sockets that the kernel shows to nobody (preload/calls/options.c).
 */

import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { type HiddenOption, native, type ProgramSocket, type Registry, type SocketObstacle } from '../native/index';
import { IPPROTO_TCP, IPPROTO_UDP, TCP_CLOSE, TCP_LISTEN } from '../vocabulary/sockets';
import { takeDescriptor } from './pidfds';

const REGISTRY_NAME = '/memfd:migrun-registry';

/** Init's descriptors of the registry and of its eventfd; undefined: this init has none. */
export function registryFdsOf(initPid: number): { memory: number; event: number } | undefined {
  const folder = `/proc/${initPid}/fd`;
  const memory = readdirSync(folder).find((fd) => readlinkSync(join(folder, fd)).startsWith(REGISTRY_NAME));
  return memory === undefined ? undefined : { memory: Number(memory), event: Number(memory) - 1 };
}

/** undefined: this init has none. */
export function mapRegistry(initPid: number): Registry | undefined {
  const fds = registryFdsOf(initPid);
  if (fds === undefined) return undefined;
  const memory = takeDescriptor(initPid, fds.memory);
  try {
    return native.mapRegistry(memory);
  } finally {
    native.closeFd(memory);
  }
}

/**
 * Forgets what killed processes left in it, which every move would carry, and which could name another socket on the
 * next host. The program stands still, and these are all of its sockets of IPv4 and IPv6.
 */
export function sweepRegistry(registry: Registry | undefined, sockets: readonly Pick<ProgramSocket, 'inode'>[]): void {
  registry?.sweep(sockets.map(({ inode }) => inode));
}

type Socket = Pick<ProgramSocket, 'inode' | 'protocol' | 'state' | 'local' | 'obstacles'>;

/**
 * The sockets, with these options among their obstacles. `signed` gives the inodes of those that sign their segments,
 * as far as inet_diag shows it; it is asked where there may be any.
 */
export function withHidden<Seen extends Socket>(
  sockets: readonly Seen[],
  registry: Registry | undefined,
  signed: () => ReadonlySet<number>,
): readonly Seen[] {
  const { sockets: noted, groups } = registry?.hiddenOptions() ?? { sockets: [], groups: [] };
  if (noted.length === 0 && groups.length === 0) return sockets;
  const options = new Map(noted.map((socket) => [socket.inode, socket.options]));
  const programs = new Set(groups.map(portText));
  return sockets.map((socket) => {
    const own = options.get(socket.inode) ?? [];
    const hidden = own.flatMap((option) => obstaclesOf(option, socket, signed));
    if (isInGroup(socket) && programs.has(portText({ ...socket, port: socket.local.port })))
      hidden.push('group-program');
    if (own.length === 0 && hidden.length === 0) return socket;
    return { ...socket, obstacles: [...new Set([...shownOf(socket, own), ...hidden])] };
  });
}

/**
 * Keys that were noted may have been taken away again; of a socket that neither listens nor is connected nobody knows.
 */
function obstaclesOf(
  option: HiddenOption,
  { inode, state }: Socket,
  signed: () => ReadonlySet<number>,
): SocketObstacle[] {
  if (option === 'syn-read') return [];
  if (option !== 'keys') return [option];
  return state === TCP_CLOSE || signed().has(inode) ? ['authentication'] : [];
}

/** The kernel shows that a connection's SYN is kept, but not whether it was read, and so is there no more. */
function shownOf({ obstacles }: Socket, options: readonly HiddenOption[]): readonly SocketObstacle[] {
  return options.includes('syn-read') ? obstacles.filter((obstacle) => obstacle !== 'saved-syn') : obstacles;
}

function isInGroup({ protocol, state }: Socket): boolean {
  return protocol === IPPROTO_UDP || (protocol === IPPROTO_TCP && state === TCP_LISTEN);
}

function portText({ protocol, port }: { protocol: number; port: number }): string {
  return `${protocol} ${port}`;
}
