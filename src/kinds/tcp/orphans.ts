/**
 * Connections that the program has closed, and whose last bytes, or whose end, the other side has not acknowledged.
 * They are in the kernel of this host alone: nobody can get hold of them, so they do not move; but when a program has
 * moved, nothing of it may depend on the host that it left. They are waited for, and where that takes too long, it
 * stays.
 */
import { statSync } from 'node:fs';
import { type DiagSocket, native } from '../../native/index';
import { connectionName, connectionText } from '../../vocabulary/endpoint';
import type { Reason } from '../../vocabulary/refusal';
import { CLOSING_STATES } from '../../vocabulary/sockets';
import { defineKind } from '../kind';

export const orphans = defineKind({
  name: 'orphans',

  /** Gives the orphans that are there now, and still when the time is over. */
  async quiesce(cgroup: string, timeoutMs: number): Promise<Reason[]> {
    const { ino } = statSync(cgroup, { bigint: true });
    const first = new Set(orphansOf(ino).map(nameOf));
    const left = (): DiagSocket[] => orphansOf(ino).filter((orphan) => first.has(nameOf(orphan)));
    if (first.size > 0) await until(() => left().length === 0, timeoutMs);
    return left().map(reasonOf);
  },
});

function orphansOf(cgroup: bigint): DiagSocket[] {
  return native.diagTcpOfCgroup(cgroup, CLOSING_STATES).filter(({ inode, unacknowledged }) =>
    inode === 0 && unacknowledged > 0
  );
}

function nameOf({ connection }: DiagSocket): string {
  return connectionName(connection);
}

function reasonOf({ connection, unacknowledged }: DiagSocket): Reason {
  const { address, port } = connection.remote;
  const how = `ss -K dst '[${address}]' dport = :${port}`;
  const what = `${connectionText(connection)}, and ${unacknowledged} bytes of it have not arrived`;
  const message = `the program has closed ${what}; try again when they have, or give them up: ${how}`;
  return { code: 'E_ORPHAN', message };
}

/** Asks again at each end of a socket, until it is so or the time is over. */
async function until(isSo: () => boolean, timeoutMs: number): Promise<void> {
  let onEnd: () => void = () => undefined;
  const watch = native.watchTcpEnds(() => onEnd());
  const deadline = performance.now() + timeoutMs;
  try {
    // This is asked after the watch has begun, and after each wait, so none ends unseen.
    while (!isSo() && performance.now() < deadline) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadline - performance.now());
        onEnd = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  } finally {
    watch.close();
  }
}
