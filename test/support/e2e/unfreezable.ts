/**
 * A process that no cgroup freezes: it waits, killable only, for a file system whose server answers nothing, not even the
 * first of all requests (fuse_block_alloc() in fs/fuse/dev.c).
 */
import type { Host } from './host.js';

/** Its server ends with the input; then the process does, too. What a host has in /run goes with the host. */
const SCRIPT = `
  mkdir /run/unanswered
  exec 3<>/dev/fuse
  mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 none /run/unanswered
  (exec 3<&-; echo 0 >"$1/cgroup.procs"; echo waits; exec stat /run/unanswered/file 2>/dev/null) &
  cat
  exec 3<&-
  wait
  umount /run/unanswered
`;

/** Starts a process in this cgroup that the kernel cannot freeze until the release. There can be one on a host. */
export async function startUnfreezable(host: Host, cgroup: string): Promise<{ release(): Promise<void> }> {
  const started = host.start(['sh', '-c', SCRIPT, 'sh', cgroup]);
  await started.stdout.match(/^waits$/);
  return {
    release: async () => {
      started.stdin.end();
      await started.ended;
    },
  };
}
