/* criu dump --freeze-cgroup of a cgroup that is frozen already, with --leave-running, leaves it frozen, and as it was.
 *
 * Source: CRIU 4.2, freeze_processes() in criu/seize.c notes the state that it finds (origin_freezer_state) and writes THAWED
 * only where that was THAWED.
 * Relied on by: freeze and dump. Undo is a thaw, commit is cgroup.kill. */
#include "harness/criu.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

#include <signal.h>

static volatile int counter;

static int count(void *argument) {
    (void)argument;
    for (;;) counter++;
    return 0;
}

static void body(void) {
    int before, after;
    pid_t pid;

    hosts_up();
    pid = start_program(count, NULL, NO_FDS);
    while (!peek_int(pid, &counter))
        ;
    cgroup_freeze(NULL, true);
    before = peek_int(pid, &counter);
    criu_dump(pid, NULL);
    expect(cgroup_is_frozen(NULL), "the cgroup is not frozen after the dump");
    after = peek_int(pid, &counter);
    expect(after == before, "the program ran on by %u during the dump", (unsigned)after - before);
    cgroup_freeze(NULL, false);
    while (peek_int(pid, &counter) == after)
        ;
    cgroup_freeze(NULL, true);
    cgroup_kill(NULL);
    expect(finish(pid) == -SIGKILL, "cgroup.kill did not end the frozen program");
    holds("frozen after the dump, not an instruction further; a thaw let it go on, cgroup.kill ended it");
}

int main(void) { return check(body); }
