/** Children that are killed forget none of their sockets in the shim's registry; the migration does it for them. */
import { statSync } from 'node:fs';
import { registryFdsOf } from '../../../src/program/registry.js';
import type { Host } from '../../support/e2e/host.js';
import { useLab } from '../../support/e2e/lab.js';
import { SocketBox } from '../../support/e2e/socket-box.js';

/** More than the first part of the registry has room for (preload/registry/registry.h). */
const LOST = 'lose 70 500';
const KIB = 1024;

const lab = useLab();

/** The memory of the registry of the one socket_box that runs there. */
function registrySize(host: Host): number {
  const { pid } = host.processes().find(({ command }) => command.startsWith('socket_box'))!;
  return statSync(`/proc/${pid}/fd/${registryFdsOf(pid)!.memory}`).blocks * 512;
}

describe('a program whose children were killed', () => {
  let box: SocketBox;
  let peer: SocketBox;

  beforeAll(async () => {
    await lab.startAgents();
    box = await SocketBox.wrapped(lab.hostA);
    peer = SocketBox.plain(lab.hostC);
  });

  afterAll(() => Promise.all([box.end(), peer.end()]));

  async function ok(on: SocketBox, ...commands: string[]): Promise<string> {
    let answer = '';
    for (const command of commands) {
      answer = await on.run(command);
      expect(answer).toMatch(/^ok/);
    }
    return answer;
  }

  test('leaves their sockets behind, and has its own with the names that it knows', async () => {
    await ok(peer, 'socket 1 4', 'bind 1 0.0.0.0 6200', 'listen 1 5');
    await ok(box, 'socket 1 4', 'connect 1 10.77.0.3 6200', LOST);
    await ok(peer, 'accept 2 1');
    await ok(box, 'socket 2 4', 'bind 2 0.0.0.0 6201', 'listen 2 5', 'send 1 1000');
    const facts = await ok(box, 'facts 1');
    expect(facts).toContain('local=[10.77.0.1]:');
    expect(registrySize(lab.hostA)).toBeGreaterThan(1024 * KIB);

    for (const [from, to] of [[lab.hostA, lab.hostB], [lab.hostB, lab.hostA], [lab.hostA, lab.hostB]] as const) {
      await from.migrate(box.id!, to);
      expect(registrySize(to)).toBeLessThan(512 * KIB);
      expect((await ok(box, 'facts 1')).replace(/out=\d+/, '')).toBe(facts.replace(/out=\d+/, ''));
    }
    await ok(peer, 'recv 2 1000');
    await ok(box, 'close 1', 'close 2');
  });
});
