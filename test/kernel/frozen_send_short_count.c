/* A blocked send, and a recv with MSG_WAITALL, that has moved a part of its bytes returns that part from a freeze.
 *
 * Source: tcp_sendmsg_locked() and tcp_recvmsg_locked() in net/ipv4/tcp.c: `copied` goes before the signal's error.
 * Relied on by: the shim, which sends or receives the rest before it returns. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

#include <sys/mman.h>
#include <sys/syscall.h>

enum { ALL = 8 << 20 };

static char bytes[ALL];
static volatile long *result;

static int send_all(void *argument) {
    *result = send(*(int *)argument, bytes, ALL, 0);
    return 0;
}

static int receive_all(void *argument) {
    *result = recv(*(int *)argument, bytes, ALL, MSG_WAITALL);
    return 0;
}

/* Returns what the call, blocked with a part of its bytes moved, returns from a freeze. */
static long freeze_in(int (*task)(void *), int fd, long call) {
    pid_t pid = start(task, &fd);

    cgroup_enter(NULL, pid);
    wait_sleeping_in(pid, call);
    cgroup_freeze(NULL, true);
    cgroup_freeze(NULL, false);
    expect(finish(pid) == 0, "the process died");
    return *result;
}

static void body(void) {
    struct connection connection;
    long sent, received;

    hosts_up();
    cgroup_make(NULL);
    result = mmap(NULL, sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(result != MAP_FAILED, "mmap failed");
    connection = connect_hosts(AF_INET);
    sent = freeze_in(send_all, connection.b, SYS_sendto);
    expect(sent > 0 && sent < ALL, "send of %d returned %ld", ALL, sent);
    connection = connect_hosts(AF_INET);
    need(send(connection.a, bytes, 1000, 0));
    received = freeze_in(receive_all, connection.b, SYS_recvfrom);
    expect(received == 1000, "recv with MSG_WAITALL of %d returned %ld with 1000 there", ALL, received);
    holds("send and recv of 8 MiB returned the part that was moved");
}

int main(void) { return check(body); }
