/* A restore makes the PID namespace of a program again: each process has its PID and its session in it.
 *
 * Source: CRIU 4.2, fork_with_pid() in criu/cr-restore.c clones the root with the namespaces that the images name, and gives
 * PIDs by clone3() with set_tid: alloc_pid() in kernel/pid.c.
 * Relied on by: pods: a program's PIDs are free on every host, with no namespace of migrun's own making there. */
#include "harness/criu.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* PID 1 with two children, 2 and 3, the second one a session of its own. */
static int parent(void *argument) {
    (void)argument;
    if (!fork()) return pause();
    if (!fork()) {
        setsid();
        return pause();
    }
    return pause();
}

static void children_of(pid_t root, pid_t pids[2]) {
    char path[64];
    FILE *children;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", root, root);
    children = fopen(path, "re");
    expect(children && fscanf(children, "%d %d", &pids[0], &pids[1]) == 2, "the root has not two children");
    fclose(children);
}

static void wait_children(pid_t root) {
    pid_t pids[2];

    children_of(root, pids);
    wait_sleeping_in(pids[0], SYS_pause);
    wait_sleeping_in(pids[1], SYS_pause);
}

/* Writes "PID:session" of each process in the namespace of that root, in the order of their PIDs. */
static void describe(pid_t root, char *text, size_t size) {
    pid_t pids[3] = {root};
    int sessions[4] = {0};

    children_of(root, pids + 1);
    for (int i = 0; i < 3; i++) {
        char path[64], line[256];
        int pid = 0, session = 0;
        FILE *status;

        snprintf(path, sizeof(path), "/proc/%d/status", pids[i]);
        status = fopen(path, "re");
        expect(status, "%s: %s", path, strerror(errno));
        while (fgets(line, sizeof(line), status)) {
            sscanf(line, "NSpid: %*d %d", &pid);
            sscanf(line, "NSsid: %*d %d", &session);
        }
        fclose(status);
        expect(pid >= 1 && pid <= 3, "PID %d in the namespace", pid);
        sessions[pid] = session;
    }
    snprintf(text, size, "1:%d 2:%d 3:%d", sessions[1], sessions[2], sessions[3]);
}

static ino_t namespace_of(pid_t pid) {
    char path[64];
    struct stat status;

    snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
    need(stat(path, &status));
    return status.st_ino;
}

static void body(void) {
    char before[128], after[128];
    pid_t original, restored;

    hosts_up();
    original = start_program(parent, NULL, NO_FDS);
    wait_sleeping_in(original, SYS_pause);
    wait_children(original);
    cgroup_freeze(NULL, true);
    describe(original, before, sizeof(before));
    criu_dump(original, NULL);
    restored = criu_restore();
    describe(restored, after, sizeof(after));
    expect(!strcmp(before, after), "before %s, after %s", before, after);
    expect(namespace_of(restored) != namespace_of(original) && namespace_of(restored) != namespace_of(getpid()),
           "the restored program is in a namespace that was there before");
    holds("PID:session %s, in a new namespace, beside the frozen original", after);
}

int main(void) { return check(body); }
