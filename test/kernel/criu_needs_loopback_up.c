/* Without its cache criu starts only in a network namespace whose loopback is up; with it, in any.
 *
 * Source: CRIU 4.2, kerndat_tcp_repair() in criu/kerndat.c connects a socket in repair mode to 127.0.0.1.
 * Relied on by: preflight and the lab: lo is up in every network namespace that an agent serves. */
#include "harness/criu.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

static int idle(void *argument) {
    (void)argument;
    return pause();
}

/* Dumps the process. Returns whether criu could. */
static bool can_dump(pid_t pid) {
    char root[16];

    snprintf(root, sizeof(root), "%d", pid);
    return !finish(criu_start((const char *[]){"dump", "-t", root, "-D", work_folder(), "-o", "dump.log",
                                               "--network-lock", "skip", "--leave-running", "--freeze-cgroup",
                                               cgroup_folder(), "--manage-cgroups=ignore", NULL}));
}

static void body(void) {
    pid_t program;

    hosts_up();
    need(unshare(CLONE_NEWNET));
    need(mount("tmpfs", "/run", "tmpfs", 0, NULL)); /* an empty cache */
    program = start_program(idle, NULL, NO_FDS);
    wait_sleeping_in(program, SYS_pause);
    cgroup_freeze(NULL, true);
    expect(!can_dump(program), "criu dumped with its loopback down and no cache");
    need(system("ip link set lo up"));
    expect(can_dump(program), "criu did not dump with its loopback up");
    need(system("ip link set lo down"));
    expect(can_dump(program), "criu did not dump with its loopback down and a cache");
    holds("no cache and lo down: no; lo up: dumped; lo down again, with the cache: dumped");
}

int main(void) { return check(body); }
