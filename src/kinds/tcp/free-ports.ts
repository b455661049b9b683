/**
 * A connection keeps its port where it arrives, unless somebody there has the same port to the same peer already: then it
 * gets another, and RESUME tells the peer. Between two busy clients of one server that is no rare thing.
 */
import { native } from '../../native/index';
import type { Connection } from '../../vocabulary/endpoint';

/** Gives the ends as they can be here; `mayChange` says by the index whether the port may be another. */
export function withFreePorts(ends: readonly Connection[], mayChange: (index: number) => boolean): Connection[] {
  const inodes = native.diagConnectionInodes(ends);
  const given = new Set<number>();
  return ends.map((end, index) => {
    if (inodes[index] === null || !mayChange(index)) return end;
    return { ...end, local: { ...end.local, port: freePort(end.local.address, given) } };
  });
}

function freePort(address: string, given: Set<number>): number {
  let port = native.socketFreePort(address);
  while (given.has(port)) port = native.socketFreePort(address);
  given.add(port);
  return port;
}
