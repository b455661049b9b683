/* criu restores the sizes of a socket's buffers, those that a program set locked, those that the kernel tuned as tuned ones.
 *
 * Source: CRIU 4.2, dump_socket_opts() and restore_socket_opts() in criu/sockets.c: SO_SNDBUFFORCE, SO_RCVBUFFORCE, and then
 * SO_BUF_LOCK.
 * Relied on by: the options that a move carries (native/socket/options.h) leave buffers out; a stream is as fast after it. */
#include "harness/bulk.h"
#include "harness/criu.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"
#include "harness/tcp.h"

#include <sys/syscall.h>
#include <unistd.h>

enum { TUNED = 200, SET, LAST = SET, MUCH = 32 << 20, SIZE = 50000, BOTH = 3 };

struct sizes {
    int receive, send, locks;
};

static int idle(void *argument) {
    (void)argument;
    return pause();
}

static struct sizes sizes_of(int fd) {
    return (struct sizes){get_option(fd, SOL_SOCKET, SO_RCVBUF), get_option(fd, SOL_SOCKET, SO_SNDBUF),
                          get_option(fd, SOL_SOCKET, SO_BUF_LOCK)};
}

/* The kernel doubles what it is given: an odd size becomes one byte less. */
static bool same(int is, int was) { return is == (was & ~1); }

static void expect_same(const char *which, struct sizes was, struct sizes is) {
    expect(same(is.receive, was.receive) && same(is.send, was.send) && is.locks == was.locks,
           "%s: SO_RCVBUF %d, was %d; SO_SNDBUF %d, was %d; SO_BUF_LOCK %d, was %d", which, is.receive, was.receive,
           is.send, was.send, is.locks, was.locks);
}

static void body(int family) {
    struct connection tuned, set;
    struct sizes of_tuned, of_set;
    pid_t original, restored;
    int as_new;

    hosts_up();
    tuned = connect_hosts(family);
    set = connect_hosts(family);
    enter(B);
    as_new = get_option(tuned.b, SOL_SOCKET, SO_RCVBUF);
    stream(tuned.a, tuned.b, MUCH);
    stream(tuned.b, tuned.a, MUCH);
    set_option(set.b, SOL_SOCKET, SO_RCVBUF, SIZE);
    set_option(set.b, SOL_SOCKET, SO_SNDBUF, SIZE);
    need(dup2(tuned.b, TUNED));
    need(dup2(set.b, SET));
    of_tuned = sizes_of(TUNED);
    of_set = sizes_of(SET);
    expect(of_tuned.receive > as_new && of_tuned.locks == 0, "the kernel tuned nothing: SO_RCVBUF %d",
           of_tuned.receive);
    expect(of_set.locks == BOTH, "sizes that were set are not locked");

    original = start_program(idle, NULL, (struct fds){TUNED, LAST});
    wait_sleeping_in(original, SYS_pause);
    cgroup_freeze(NULL, true);
    for (int fd = TUNED; fd <= LAST; fd++) {
        lock(fd);
        repair(fd, TCP_REPAIR_ON);
    }
    criu_dump(original, NULL);
    cgroup_kill(NULL);
    finish(original);
    for (int fd = TUNED; fd <= LAST; fd++) close(fd);
    cgroup_freeze(NULL, false);
    restored = criu_restore();
    expect_same("tuned", of_tuned, sizes_of(fd_of(restored, TUNED)));
    expect_same("set", of_set, sizes_of(fd_of(restored, SET)));
    holds("SO_RCVBUF %d and SO_SNDBUF %d tuned, %d set: as they were", of_tuned.receive, of_tuned.send, of_set.receive);
}

int main(void) { return check_families(body); }
