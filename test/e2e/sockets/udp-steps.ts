/** What the tests of UDP sockets do: commands of socket boxes with their answers, and a move there and back. */
import type { useLab } from '../../support/e2e/lab.js';
import type { SocketBox } from '../../support/e2e/socket-box.js';

/** Runs the commands; each must be answered as said, "ok" with whatever follows. */
export async function play(steps: readonly (readonly [SocketBox, string, (string | RegExp)?])[]): Promise<void> {
  for (const [who, command, expected = 'ok'] of steps) {
    const answer = await who.run(command);
    const isExpected = typeof expected === 'string'
      ? (expected === 'ok' ? /^ok\b/.test(answer) : answer === expected)
      : expected.test(answer);
    if (!isExpected)
      throw new Error(
        `${who.id === undefined ? 'not wrapped' : `program ${who.id}`}, ${command}: ${answer} instead of ${
          String(expected)
        }`,
      );
  }
}

/** Datagrams that were sent are received a moment later: the last of them is waited for. */
export const readable = (slot: number): string => `poll ${slot} i 20000`;

/** Moves the program from hostA to hostB and back; `check` is told what addresses it has now. */
export async function thereAndBack(
  { hostA, hostB }: ReturnType<typeof useLab>,
  { id }: SocketBox,
  check: (address: { v4: string; v6: string }) => Promise<void>,
): Promise<void> {
  await hostA.migrate(id!, hostB);
  await check({ v4: '10.77.0.2', v6: 'fd77::2' });
  await hostB.migrate(id!, hostA);
  await check({ v4: '10.77.0.1', v6: 'fd77::1' });
}
