/* A recvmmsg that a freeze ends after its first message leaves ERESTARTSYS, which no program knows, as the socket's error.
 *
 * Source: do_recvmmsg() in net/socket.c stores what ended it in sk_err, "for the next call", also where that was a signal.
 * Relied on by: the shim, whose recvmmsg never waits in the kernel once it has a message. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

#include <sys/mman.h>
#include <sys/syscall.h>

/* include/linux/errno.h of the kernel. */
#define ERESTARTSYS 512

static volatile int *result;

static int receive_two(void *argument) {
    char bytes[2];
    struct iovec parts[2] = {{&bytes[0], 1}, {&bytes[1], 1}};
    struct mmsghdr messages[2] = {
        {.msg_hdr = {.msg_iov = &parts[0], .msg_iovlen = 1}},
        {.msg_hdr = {.msg_iov = &parts[1], .msg_iovlen = 1}},
    };

    *result = recvmmsg(*(int *)argument, messages, 2, 0, NULL);
    return 0;
}

static void body(void) {
    struct connection connection;
    socklen_t length = sizeof(int);
    pid_t pid;
    int error;

    hosts_up();
    cgroup_make(NULL);
    result = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(result != MAP_FAILED, "mmap failed");
    connection = connect_hosts(AF_INET);
    need(send(connection.a, "x", 1, 0));
    pid = start(receive_two, &connection.b);
    cgroup_enter(NULL, pid);
    wait_sleeping_in(pid, SYS_recvmmsg);
    cgroup_freeze(NULL, true);
    cgroup_freeze(NULL, false);
    expect(finish(pid) == 0, "the process died");
    expect(*result == 1, "recvmmsg returned %d with one message there", *result);
    need(getsockopt(connection.b, SOL_SOCKET, SO_ERROR, &error, &length));
    expect(error == ERESTARTSYS, "SO_ERROR is %d", error);
    holds("recvmmsg returned 1, and SO_ERROR was %d", error);
}

int main(void) { return check(body); }
