/* criu cannot dump a socket with an eBPF filter, so none with a lease; a classic lock it dumps, and restores as a lock.
 *
 * Source: CRIU 4.2, dump_socket_filter() in criu/sockets.c fails where SO_GET_FILTER does: EACCES for eBPF, sk_get_filter()
 * in net/core/filter.c. It also takes the SO_REUSEADDR of repair mode (2) for the program's own.
 * Relied on by: between freeze and dump the lease of a program's own sockets gives way to a classic lock; restored sockets
 * come locked, and with SO_REUSEADDR to be put back. */
#include "harness/criu.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"
#include "harness/tcp.h"

#include <linux/filter.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int idle(void *argument) {
    (void)argument;
    return pause();
}

static void expect_refused(pid_t pid) {
    char folder[128], root[16];
    pid_t criu;

    snprintf(folder, sizeof(folder), "%s/refused", work_folder());
    snprintf(root, sizeof(root), "%d", pid);
    need(mkdir(folder, 0700));
    criu = criu_start((const char *[]){"dump", "-t", root, "-D", folder, "-o", "dump.log", "--tcp-close",
                                       "--network-lock", "skip", "--leave-running", "--freeze-cgroup", cgroup_folder(),
                                       "--manage-cgroups=ignore", NULL});
    expect(finish(criu) != 0, "criu dumped a socket with an eBPF filter");
}

static void body(void) {
    struct sock_filter read_back[16];
    struct connection connection;
    pid_t original, restored;
    socklen_t length = 16;
    int socket, reuse;

    hosts_up();
    connection = connect_hosts(AF_INET);
    enter(B);
    original = start_program(idle, NULL, (struct fds){connection.b, connection.b});
    wait_sleeping_in(original, SYS_pause);
    cgroup_freeze(NULL, true);
    lock_until(connection.b, now_ns() + 3600000000000);
    expect_refused(original);
    expect(get_option(connection.b, SOL_SOCKET, SO_REUSEADDR) == 0, "SO_REUSEADDR is on");
    lock(connection.b); /* in place of the lease: at no moment unlocked */
    repair(connection.b, TCP_REPAIR_ON);
    criu_dump(original, NULL);
    restored = criu_restore();
    socket = fd_of(restored, connection.b);
    need(getsockopt(socket, SOL_SOCKET, SO_GET_FILTER, read_back, &length));
    expect(length == 1 && read_back[0].code == (BPF_RET | BPF_K) && read_back[0].k == 0,
           "the restored socket is not locked");
    reuse = get_option(socket, SOL_SOCKET, SO_REUSEADDR);
    expect(reuse == 1, "SO_REUSEADDR %d after a dump in repair mode", reuse);
    holds("a lease: refused; a classic lock: restored locked; SO_REUSEADDR of repair mode restored as 1");
}

int main(void) { return check(body); }
