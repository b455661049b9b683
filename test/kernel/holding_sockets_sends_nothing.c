/* While another process has a program's sockets open, its death (cgroup.kill of the frozen program) sends nothing.
 *
 * Source: __fput() in fs/file_table.c calls tcp_close() only at the last reference, which pidfd_getfd() shares.
 * Relied on by: commit. The source kills its frozen copy; no FIN and no RST tells the peers of it. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/task.h"
#include "harness/tcp.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static int idle(void *argument) {
    (void)argument;
    return pause();
}

static void body(int family) {
    struct connection connection;
    struct segment segment;
    int tap, held;
    pid_t pid;

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    tap = tap_open();
    pid = start(idle, NULL);
    close(connection.b);
    cgroup_make(NULL);
    cgroup_enter(NULL, pid);
    held = need(syscall(SYS_pidfd_getfd, need(syscall(SYS_pidfd_open, pid, 0)), connection.b, 0));
    cgroup_freeze(NULL, true);
    tap_count(tap, true);
    cgroup_kill(NULL);
    expect(finish(pid) == -SIGKILL, "cgroup.kill did not end a frozen process");
    expect(!tap_next(tap, true, 100, &segment), "its death sent a segment with flags 0x%x", segment.flags);
    send_pattern(connection.a, 0, 1000);
    expect(receive_pattern(held, 0, 1000) == 1000, "the held connection is not alive");
    holds("nothing was sent and the held connection goes on");
}

int main(void) { return check_families(body); }
