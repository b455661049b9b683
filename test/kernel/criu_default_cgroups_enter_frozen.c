/* With criu's default cgroup handling a restore walks into the frozen cgroup of the original and hangs there.
 *
 * Source: CRIU 4.2, restore_task_cgroup() and move_in_cgroup() in criu/cgroup.c put each task into the cgroup that the dump
 * found it in; --manage-cgroups=ignore leaves them in criu's own.
 * Relied on by: every dump and restore names --manage-cgroups=ignore. */
#include "harness/criu.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

#include <stdio.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static int idle(void *argument) {
    (void)argument;
    return pause();
}

static const char *number(pid_t pid) {
    static char text[16];

    snprintf(text, sizeof(text), "%d", pid);
    return text;
}

static void body(void) {
    char images[128];
    pid_t original, criu;

    hosts_up();
    snprintf(images, sizeof(images), "%s/images", work_folder());
    need(mkdir(images, 0700));
    original = start_program(idle, NULL, NO_FDS);
    cgroup_freeze(NULL, true);
    criu = criu_start((const char *[]){"dump", "-t", number(original), "-D", images, "-o", "dump.log",
                                       "--leave-running", "--freeze-cgroup", cgroup_folder(), NULL});
    criu_finish(criu, "dump.log");
    criu = criu_start((const char *[]){"restore", "-D", images, "-o", "restore.log", "--restore-detached", NULL});
    while (cgroup_count(NULL) == 1 && !ends_within(criu, 1))
        ;
    expect(cgroup_count(NULL) > 1, "the restore did not enter the frozen cgroup");
    expect(!ends_within(criu, 1000), "the restore ended, though in a frozen cgroup");
    cgroup_kill(NULL);
    kill(criu, SIGKILL);
    finish(criu);
    holds("a process of the restore entered the frozen cgroup; the restore stood still");
}

int main(void) { return check(body); }
