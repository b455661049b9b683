import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { compile } from '../support/compile.js';

// What needs control of each system call is in C: programs/sockets. Every case runs in a process of its own.
const cases = ['main', 'pair', 'pod', 'lock_cases', 'move_cases', 'half_closed_cases', 'socket_cases', 'udp_cases',
  'accept_queue_cases'];
const mechanics = [
  'accept_queue',
  'accept_queue_fill',
  'bpf_program',
  'diag',
  'diag_netlink',
  'gate',
  'lock',
  'lock_filters',
  'peer_segments',
  'sequences',
  'socket_obstacles',
  'socket_options',
  'sockets_address',
  'sockets_collect',
  'sockets_table',
  'tcp_header',
  'tcp_queue',
  'tcp_release',
  'tcp_repair',
  'tcp_revive',
  'tcp_save',
  'time_wait',
  'udp_header',
  'udp_interfaces',
  'udp_memberships',
  'udp_queue',
  'udp_revive',
  'udp_save',
];
const program = compile(
  [...cases.map((name) => `test/native/programs/sockets/${name}.c`), ...mechanics.map((name) => `native/${name}.c`)],
  ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
);
const names = execFileSync(program.path, ['list'], { encoding: 'utf8' }).trim().split('\n');

afterAll(() => program.remove());

test.each(names)('%s', async (name) => {
  await expect(promisify(execFile)(program.path, [name])).resolves.toBeDefined();
});
