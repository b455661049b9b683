/* The CPU affinity of a thread that a cgroup has frozen can be set from outside; it has it when it runs again.
 *
 * Source: __sched_setaffinity() in kernel/sched/syscalls.c asks for CAP_SYS_NICE and nothing of the thread's state.
 * Relied on by: affinity: a restored thread has its CPUs before its first instruction. */
#include "harness/result.h"
#include "harness/task.h"

#include <sched.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <unistd.h>

enum { LOOKS = 200 };

/* Looks again and again which CPU it is on, for as long as it lives. */
static int look(void *argument) {
    volatile int *seen = argument;

    do {
        *seen = 1 << sched_getcpu();
    } while (usleep(1000) == 0);
    return 1;
}

static void body(void) {
    static volatile int seen;
    cpu_set_t last, now;
    pid_t pid;
    int cpu = get_nprocs() - 1;

    if (cpu < 1) missing("one CPU alone");
    cgroup_make(NULL);
    pid = start(look, (void *)&seen);
    cgroup_enter(NULL, pid);
    cgroup_freeze(NULL, true);
    CPU_ZERO(&last);
    CPU_SET(cpu, &last);
    need(sched_setaffinity(pid, sizeof last, &last));
    need(sched_getaffinity(pid, sizeof now, &now));
    expect(CPU_EQUAL(&last, &now), "frozen, it has %d CPUs", CPU_COUNT(&now));
    expect(cgroup_is_frozen(NULL), "it is not frozen any more");
    cgroup_freeze(NULL, false);
    usleep(10000);
    for (int looks = 0; looks < LOOKS; looks++) {
        int is = peek_int(pid, &seen);

        expect(is == 1 << cpu, "it ran on CPUs of mask %#x", is);
        usleep(1000);
    }
    holds("on CPU %d alone, %d looks", cpu, LOOKS);
}

int main(void) { return check(body); }
