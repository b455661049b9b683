/* dump and restore with --tcp-close make the same fds again as closed, unbound sockets, shut down both ways, and send nothing.
 *
 * Source: CRIU 4.2, dump_one_tcp() and restore_one_tcp() in criu/sk-tcp.c: no state is dumped, shutdown() of a new socket.
 * inet_shutdown() in net/ipv4/af_inet.c sets sk_shutdown before it returns ENOTCONN.
 * Relied on by: dump and restore. Connections are saved and revived by migrun, fds and epoll sets are criu's. */
#include "harness/criu.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/task.h"
#include "harness/tcp.h"

#include <linux/kcmp.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DUPLICATE = 200, CLOSE = 7 };

static int idle(void *argument) {
    if (dup2(*(int *)argument, DUPLICATE) < 0) return 1;
    return pause();
}

static void body(int family) {
    struct connection connection;
    struct segment segment;
    union address local;
    pid_t original, restored;
    int tap, socket;
    char byte;

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    tap = tap_open();
    original = start_program(idle, &connection.b, (struct fds){connection.b, connection.b});
    wait_sleeping_in(original, SYS_pause);
    cgroup_freeze(NULL, true);
    lock(connection.b);
    repair(connection.b, TCP_REPAIR_ON);
    tap_count(tap, true);
    criu_dump(original, NULL);
    cgroup_kill(NULL);
    finish(original);
    close(connection.b);
    cgroup_freeze(NULL, false);
    restored = criu_restore();
    expect(!tap_next(tap, true, 100, &segment), "a segment with flags 0x%x was sent", segment.flags);

    socket = fd_of(restored, connection.b);
    local = local_of(socket);
    expect(local.any.sa_family == family && get_option(socket, SOL_SOCKET, SO_TYPE) == SOCK_STREAM, "not a TCP socket");
    expect(tcp_info_of(socket).tcpi_state == CLOSE, "state %d, not CLOSE", tcp_info_of(socket).tcpi_state);
    expect(port_of(&local) == 0, "bound to port %d", port_of(&local));
    expect(recv(socket, &byte, 1, MSG_DONTWAIT) == 0 && send(socket, "x", 1, MSG_NOSIGNAL) < 0,
           "not shut down both ways");
    expect(!syscall(SYS_kcmp, restored, restored, KCMP_FILE, connection.b, DUPLICATE),
           "fd and duplicate are two sockets");
    holds("fd and duplicate are one closed, unbound socket, shut down both ways; nothing was sent");
}

int main(void) { return check_families(body); }
