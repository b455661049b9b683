/* Sockets revived in criu's pre-resume stage are live, in place, before the program's first instruction: it sees no break.
 *
 * Source: CRIU 4.2, restore_root_task() in criu/cr-restore.c: run_scripts(ACT_PRE_RESUME) comes after all fds are made and
 * before finalize_restore_detach(), while every thread stands in rt_sigreturn.
 * Relied on by: restore: the program, its epoll set and its duplicate fds go on with the connection. */
#include "harness/criu.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/task.h"
#include "harness/tcp.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Waits in an edge-triggered epoll set and answers what comes, through a duplicate. Ends at the first error or EOF. */
static int echo(void *argument) {
    int fd = *(int *)argument, duplicate = dup(fd), epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    char bytes[4096];
    ssize_t got;

    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) return 1;
    for (;;) {
        if (epoll_wait(epoll, &event, 1, -1) != 1 && errno != EINTR) return 2;
        while ((got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
            if (send(duplicate, bytes, got, MSG_NOSIGNAL) != got) return 3;
        if (!got || errno != EAGAIN) return 4;
    }
}

static void body(int family) {
    static struct saved peer, program;
    struct criu_restore restore;
    struct connection connection;
    struct segment segment;
    pid_t original;
    int tap, socket;

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    original = start_program(echo, &connection.b, (struct fds){connection.b, connection.b});
    wait_sleeping_in(original, SYS_epoll_wait);
    send_pattern(connection.a, 0, 1000);
    expect(receive_pattern(connection.a, 0, 1000) == 1000, "no echo before the move");

    lock(connection.a);
    cgroup_freeze(NULL, true);
    lock(connection.b);
    save(connection.b, &program);
    save(connection.a, &peer);
    tap = tap_open();
    criu_dump(original, NULL);
    cgroup_kill(NULL);
    finish(original);
    close(connection.b);
    cgroup_freeze(NULL, false);

    program.local = address_of(family, 3, port_of(&program.local));
    peer.remote = program.local;
    restore = criu_restore_held();
    socket = fd_of(restore.root, connection.b);
    expect(tap_count(tap, true) == 0, "something was sent before the revival");
    revive_empty(connection.a, &peer); /* first: its host answers an address that it does not know with a RST */
    revive_queues(connection.a, &peer);
    revive(socket, &program);
    revive_release(connection.a, &peer);
    criu_release(&restore);
    send_pattern(connection.a, 0, 1000);
    expect(receive_pattern(connection.a, 0, 1000) == 1000, "no echo after the move");
    expect(!tap_next(tap, true, 0, &segment) || !(segment.flags & (FIN | RST)), "it sent flags 0x%x", segment.flags);
    holds("it echoes on, through its edge-triggered epoll set and a duplicate fd, under another address");
}

int main(void) { return check_families(body); }
