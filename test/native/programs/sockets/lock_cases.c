#include "kernel/bpf.h"
#include "cases.h"
#include "socket/lock.h"
#include "pair.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define QUIET_MS 60

static struct failure failure;

static const struct sock_filter own[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
    BPF_STMT(BPF_RET | BPF_K, 0x7fff),
};

static void attach_own(int fd) {
    const struct sock_fprog program = {2, (struct sock_filter *)own};

    need(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program));
}

static void expect_own(int fd) {
    struct sock_filter found[16];
    socklen_t count = 16;

    need(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, found, &count));
    expect(count == 2 && memcmp(found, own, sizeof own) == 0, "another filter, of %u instructions", count);
}

static void expect_no_filter(int fd) {
    socklen_t count = 0;

    need(getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, NULL, &count));
    expect(count == 0, "a filter of %u instructions", count);
}

static void lease_ends(void) {
    struct pair pair = pair_open(V4);
    struct stream stream = {.from = pair.a, .to = pair.b};

    returns(socket_lock(&pair.b, 1, 150, &failure), 0);
    stream_write(&stream, 10);
    expect(!poll_for(pair.b, POLLIN, QUIET_MS), "the lock let a segment through");
    stream_drain(&stream, 2000);
}

static void plain_stays(void) {
    struct pair pair = pair_open(V6);
    struct stream stream = {.from = pair.a, .to = pair.b};

    returns(socket_lock(&pair.b, 1, 50, &failure), 0);
    returns(socket_lock(&pair.b, 1, 0, &failure), 0);
    stream_write(&stream, 10);
    expect(!poll_for(pair.b, POLLIN, 500), "the lock let a segment through");
    returns(socket_unlock(&pair.b, 1, &failure), 0);
    expect_no_filter(pair.b);
    stream_drain(&stream, 2000);
}

static void own_filter_comes_back(void) {
    struct pair pair = pair_open(V4);

    attach_own(pair.b);
    returns(socket_lock(&pair.b, 1, 1000, &failure), 0);
    returns(socket_lock(&pair.b, 1, 0, &failure), 0);
    returns(socket_unlock(&pair.b, 1, &failure), 0);
    expect_own(pair.b);
}

static void own_filter_moves(void) {
    struct pair pair = pair_open(V4);

    attach_own(pair.b);
    pair_move(&pair);
    expect_own(pair.b);
    expect_no_filter(pair.a);
}

static void own_filter_acts_while_held(void) {
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    const struct sock_fprog deaf = {1, &nothing};
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b};
    struct tcp_saved saved[2];

    need(setsockopt(pair.b, SOL_SOCKET, SO_ATTACH_FILTER, &deaf, sizeof deaf));
    pair_save(&pair, saved);
    pair_revive(&pair, saved);
    returns(tcp_release(&pair.a, 1, &failure), 0);
    stream_write(&there, 10);
    expect(!poll_for(pair.b, POLLIN, QUIET_MS), "a segment passed the program's own filter");
    returns(tcp_release(&pair.b, 1, &failure), 0);
    expect(!poll_for(pair.b, POLLIN, QUIET_MS), "a segment passed the program's own filter");
    need(setsockopt(pair.b, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int)));
    stream_drain(&there, 5000);
}

/* Makes this process one that knows nothing of the lock: its record is gone. */
static void forget(int fd) { socket_record_forget(fd); }

static void own_filter_survives_a_crash(void) {
    struct pair pair = pair_open(V4);

    attach_own(pair.b);
    returns(socket_lock(&pair.b, 1, 0, &failure), 0);
    forget(pair.b);
    returns(socket_unlock(&pair.b, 1, &failure), 0);
    expect_own(pair.b);
}

static void crash_leaves_a_lock_that_renews(void) {
    struct pair pair = pair_open(V4);

    returns(socket_lock(&pair.b, 1, 60000, &failure), 0);
    forget(pair.b);
    returns(socket_lock(&pair.b, 1, 60000, &failure), 0);
    returns(socket_unlock(&pair.b, 1, &failure), 0);
    expect_no_filter(pair.b);
}

static void unlock_leaves_a_programs_filter(void) {
    struct pair pair = pair_open(V4);

    attach_own(pair.b);
    returns(socket_unlock(&pair.b, 1, &failure), 0);
    expect_own(pair.b);
}

static void attach_ebpf(int fd) {
    const struct bpf_insn all[] = {BPF_MOVE_IMM(BPF_REG_0, -1), BPF_RETURN()};
    int program = (int)need(bpf_program_load(BPF_PROG_TYPE_SOCKET_FILTER, 0, "its_own", all, 2));

    need(setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program));
    close(program);
}

/* The second socket of the batch refuses, so the first is unlocked again. There are leases on other sockets. */
static void ebpf_filter_is_refused(void) {
    struct pair pair = pair_open(V4), other = pair_open(V4);

    returns(socket_lock(&other.a, 2, 60000, &failure), 0);
    attach_ebpf(pair.b);
    returns(socket_lock(&pair.a, 2, 0, &failure), -EBUSY);
    expect(failure.index == 1, "index %zu", failure.index);
    expect_no_filter(pair.a);
}

static void fixed_filter_is_refused(void) {
    struct pair pair = pair_open(V4);
    int one = 1;

    need(setsockopt(pair.b, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one));
    returns(socket_lock(&pair.a, 2, 1000, &failure), -EPERM);
    expect(failure.index == 1, "index %zu", failure.index);
    expect_no_filter(pair.a);
}

static void save_needs_a_lock(void) {
    struct pair pair = pair_open(V4);
    struct tcp_saved saved[2];

    returns(tcp_save(&pair.a, 1, saved, &failure), -EINVAL);
    returns(socket_lock(&pair.a, 1, 1, &failure), 0);
    usleep(2000); /* the lease's own time */
    returns(tcp_save(&pair.a, 1, saved, &failure), -ETIME);
}

const struct test_case lock_cases[] = {
    {"a lock drops what arrives until its lease ends", lease_ends},
    {"a lock without a lease stays until the unlock", plain_stays},
    {"unlock puts the program's own filter back", own_filter_comes_back},
    {"a moved socket has the program's own filter", own_filter_moves},
    {"a revived socket obeys the program's own filter before its release", own_filter_acts_while_held},
    {"another process finds the program's own filter under a lock", own_filter_survives_a_crash},
    {"another process can renew and end a lease", crash_leaves_a_lock_that_renews},
    {"unlock of a socket that is not locked leaves the program's filter", unlock_leaves_a_programs_filter},
    {"lock refuses a program's eBPF filter and undoes the batch", ebpf_filter_is_refused},
    {"lock refuses SO_LOCK_FILTER and undoes the batch", fixed_filter_is_refused},
    {"save refuses a socket that is not locked or whose lease ended", save_needs_a_lock},
    {NULL, NULL},
};
