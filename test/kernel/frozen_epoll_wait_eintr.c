/* epoll_wait, calls on sockets with a timeout, sigwaitinfo, semop and io_getevents end with EINTR in a frozen process.
 *
 * Source: ep_poll() in fs/eventpoll.c and the others return EINTR itself, sock_intr_errno() in include/net/sock.h where the
 * socket has a timeout; nothing restarts that. signal(7), "Interruption of system calls by stop signals".
 * Relied on by: the shim, which hides it. A peer that is not wrapped may see it, once. */
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
    expect_interrupts(freeze_and_thaw, names, sizeof(names));
    holds("EINTR after a thaw: %s", names);
}

int main(void) { return check(body); }
