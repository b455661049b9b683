import { randomBytes } from 'node:crypto';
import { closeSync, readlinkSync, readSync, statSync } from 'node:fs';
import { loadConfig } from '../../src/config';
import { gatherFacts, namespacesOf } from '../../src/program/facts';
import { createPod, destroyCgroup, type Pod } from '../../src/program/pod';
import { removeInitDirectory } from '../../src/program/record';

let pod: Pod;
async function start(script: string): Promise<Pod> {
  pod = await createPod(loadConfig(), {
    id: randomBytes(4).toString('hex'),
    command: ['sh', '-c', script],
    terminal: undefined,
  });
  return pod;
}
afterEach(async () => {
  await destroyCgroup(pod.cgroup);
  removeInitDirectory(pod.id);
  if (pod.stdio.kind !== 'pipes') return;
  for (const fd of [pod.stdio.stdin, pod.stdio.stdout, pod.stdio.stderr]) if (fd !== undefined) closeSync(fd);
});

/** Blocks until the program prints. */
function printed({ stdio }: Pod): void {
  if (stdio.kind === 'pipes') readSync(stdio.stdout, Buffer.alloc(100));
}

test("a program's processes, their files, descriptors and namespaces", async () => {
  printed(await start('exec 9</etc/passwd; echo ready; read line'));
  const { processes, sockets } = gatherFacts(pod.cgroup);
  expect(sockets).toEqual([]);
  const [init, shell] = processes;
  expect(init).toMatchObject({ pid: pod.initPid, innerPid: 1, name: 'migrun-init' });
  expect(shell).toMatchObject({
    innerPid: 2,
    name: 'sh',
    executable: readlinkSync(`/proc/${shell!.pid}/exe`),
    tracer: 0,
  });
  expect(shell!.descriptors).toContainEqual(expect.objectContaining({ fd: 9, target: '/etc/passwd' }));
  const { shim } = loadConfig();
  expect(shell!.mapped).toContainEqual({ path: shim, size: statSync(shim).size });
  expect(shell!.mapped.find(({ path }) => path === shell!.executable)?.size).toBe(statSync(shell!.executable).size);
  const { pid: ownPid, ...own } = namespacesOf('self');
  expect(shell!.namespaces).toMatchObject(own);
  expect(shell!.namespaces['pid']).not.toBe(ownPid);
});

test('processes that come and go meanwhile harm nobody', async () => {
  printed(await start('echo ready; while :; do (true & true & (true)); done'));
  for (let round = 0; round < 300; round++) expect(gatherFacts(pod.cgroup).processes[0]?.innerPid).toBe(1);
});
