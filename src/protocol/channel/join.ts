/** Two streams as one. */

import type { Duplex } from 'node:stream';

/** Copies both ways, ends included; where one breaks, the other is destroyed. Resolves when both are closed. */
export async function joinStreams(one: Duplex, other: Duplex): Promise<void> {
  const closed = [
    [one, other],
    [other, one],
  ].map(([from, to]) => copy(from as Duplex, to as Duplex));
  await Promise.all(closed);
}

function copy(from: Duplex, to: Duplex): Promise<void> {
  from.on('error', () => to.destroy());
  from.pipe(to);
  return new Promise((resolve) => {
    const onClose = () => {
      resolve();
      if (!from.readableEnded) to.destroy();
      // Nobody takes what still comes: read on to its end, or it would never close.
      to.unpipe(from);
      to.resume();
    };
    if (from.closed) onClose();
    else from.once('close', onClose);
  });
}
