/* Restored processes that are put into a frozen cgroup in criu's pre-resume stage run not one instruction until the thaw.
 *
 * Source: cgroup_freezer_migrate_task() in kernel/cgroup/freezer.c sets JOBCTL_TRAP_FREEZE, which get_signal() in
 * kernel/signal.c honours on the way out of the ptrace stop that CRIU's PTRACE_DETACH ends.
 * Relied on by: restore and commit: a target that is complete, revived and frozen, with criu gone. */
#include "harness/criu.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

static volatile int counter;

static int count(void *argument) {
    (void)argument;
    for (;;) counter++;
    return 0;
}

static void body(void) {
    struct criu_restore restore;
    int dumped, detached;
    pid_t original;

    hosts_up();
    original = start_program(count, NULL, NO_FDS);
    while (!peek_int(original, &counter))
        ;
    cgroup_freeze(NULL, true);
    dumped = peek_int(original, &counter);
    criu_dump(original, NULL);
    cgroup_kill(NULL);
    finish(original);
    cgroup_freeze(NULL, false); /* a frozen cgroup freezes those below it */

    cgroup_make("target");
    cgroup_freeze("target", true);
    restore = criu_restore_held();
    cgroup_enter("target", restore.root);
    criu_release(&restore);
    while (!cgroup_is_frozen("target"))
        ;
    detached = peek_int(restore.root, &counter);
    expect(detached == dumped, "it counted on by %u before the thaw", (unsigned)detached - dumped);
    cgroup_freeze("target", false);
    while (peek_int(restore.root, &counter) == dumped)
        ;
    holds("the counter stood at the dump's value with criu gone, and went on at the thaw");
}

int main(void) { return check(body); }
