/* A reader blocked in recv sees EPIPE where its socket is rebound under it; frozen meanwhile, it sees nothing.
 *
 * Source: tcp_disconnect() in net/ipv4/tcp.c counts sk_disconnects, for which sk_wait_event() in include/net/sock.h
 * returns EPIPE (from Linux 6.6); a frozen process has left the call, and its restart finds the revived socket.
 * Relied on by: the freeze of a peer's process around a rebind. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"
#include "harness/tcp.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int receive_one(void *argument) {
    char byte;
    ssize_t got = recv(*(int *)argument, &byte, 1, 0);

    return got == 1 ? 0 : got < 0 ? errno : 255;
}

/* Rebinds B's end, on the same addresses, under a reader blocked in it. Returns 0 where it reads on, or its errno. */
static int rebind_under_reader(int family, bool frozen) {
    struct connection connection = connect_hosts(family);
    pid_t pid = start(receive_one, &connection.b);
    static struct saved saved;

    cgroup_enter(NULL, pid);
    wait_sleeping_in(pid, SYS_recvfrom);
    if (frozen) cgroup_freeze(NULL, true);
    enter(B);
    lock(connection.b);
    save(connection.b, &saved);
    revive(connection.b, &saved);
    if (frozen) {
        cgroup_freeze(NULL, false);
        wait_sleeping_in(pid, SYS_recvfrom);
    }
    need(send(connection.a, "x", 1, 0));
    return finish(pid);
}

static void body(int family) {
    int running, frozen;

    hosts_up();
    cgroup_make(NULL);
    running = rebind_under_reader(family, false);
    frozen = rebind_under_reader(family, true);
    expect(frozen == 0, "a frozen reader saw error %d", frozen);
    expect(running == EPIPE || running == ECONNRESET, "a running reader saw %d, neither EPIPE nor ECONNRESET", running);
    holds("running: %s; frozen: read on", running == EPIPE ? "EPIPE" : "ECONNRESET");
}

int main(void) { return check_families(body); }
