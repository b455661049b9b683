/* criu restores threads with the CPU affinity that it has itself, whatever they had.
 *
 * Source: CRIU 4.2, dump_sched_info() in criu/cr-dump.c reads policy, priority and nice alone.
 * Relied on by: affinity: it is read at the source and set at the target, by migrun. */
#include "harness/criu.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

static int idle(void *argument) {
    (void)argument;
    return pause();
}

static int cpus_of(pid_t pid) {
    cpu_set_t cpus;

    need(sched_getaffinity(pid, sizeof cpus, &cpus));
    return CPU_COUNT(&cpus);
}

static void body(void) {
    cpu_set_t first;
    pid_t original, restored;
    int ours = cpus_of(0);

    if (ours < 2) missing("one CPU alone");
    hosts_up();
    enter(B);
    original = start_program(idle, NULL, NO_FDS);
    wait_sleeping_in(original, SYS_pause);
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    need(sched_setaffinity(original, sizeof first, &first));
    cgroup_freeze(NULL, true);
    criu_dump(original, NULL);
    expect(cpus_of(original) == 1, "criu changed it");
    cgroup_kill(NULL);
    finish(original);
    cgroup_freeze(NULL, false);
    restored = criu_restore();
    expect(cpus_of(restored) == ours, "restored, it has %d CPUs", cpus_of(restored));
    holds("1 CPU before, %d after", ours);
}

int main(void) { return check(body); }
