/* recv, poll, select, send, accept, futex and nanosleep that block in a frozen process go on as if nothing had been.
 *
 * Source: cgroup_freeze_task() in kernel/cgroup/freezer.c wakes the process as a signal does; the calls return ERESTARTSYS,
 * ERESTARTNOHAND or ERESTART_RESTARTBLOCK, and with no handler to run arch_do_signal_or_restart() restarts them.
 * Relied on by: the freeze, of programs and, for a rebind, of peers. */
#include "harness/blocked.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

static void freeze_and_thaw(pid_t pid) {
    cgroup_enter(NULL, pid);
    cgroup_freeze(NULL, true);
    cgroup_freeze(NULL, false);
}

static void body(void) {
    char names[256];

    hosts_up();
    cgroup_make(NULL);
    expect_restarts(freeze_and_thaw, names, sizeof(names));
    holds("gone on after a thaw: %s", names);
}

int main(void) { return check(body); }
