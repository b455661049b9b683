/* pidfd_getfd gives the same socket object: what is done to it is done to the process's own.
 *
 * Source: pidfd_getfd() and __pidfd_fget() in kernel/pid.c take a reference to the same struct file.
 * Relied on by: lock, save and revive from outside, by supervisor and agent. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

#include <errno.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int echo_one(void *argument) {
    int fd = *(int *)argument;
    char byte;

    if (read(fd, &byte, 1) != 1) return 1;
    return write(fd, &byte, 1) != 1;
}

static void body(void) {
    struct connection connection;
    int pidfd, mine;
    char byte = 0;
    pid_t pid;

    hosts_up();
    connection = connect_hosts(AF_INET);
    pid = start(echo_one, &connection.b);
    close(connection.b);
    pidfd = need(syscall(SYS_pidfd_open, pid, 0));
    mine = need(syscall(SYS_pidfd_getfd, pidfd, connection.b, 0));
    if (syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, mine, connection.b))
        expect(errno == ENOSYS, "kcmp: not the same file");
    need(shutdown(mine, SHUT_WR));
    need(write(connection.a, "x", 1));
    expect(finish(pid) == 1, "the process could still write after a shutdown through pidfd_getfd");
    expect(readable(connection.a, 30000) && read(connection.a, &byte, 1) == 0,
           "the shutdown did not reach the other end");
    holds("a shutdown through it shut the process's own socket");
}

int main(void) { return check(body); }
