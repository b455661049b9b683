/* dup'ed, inherited and passed fds of a socket that is revived in place are all the live connection.
 *
 * Source: they share one struct file (fs/file.c, copy_files() in kernel/fork.c, net/core/scm.c).
 * Relied on by: revive in place: no fd of any process has to be found or changed. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"
#include "harness/tcp.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct child {
    int connection, go;
};

/* Waits for the word, then reads 100 bytes from the inherited fd and answers them. */
static int inherit(void *argument) {
    const struct child *child = argument;
    char word;

    if (read(child->go, &word, 1) != 1) return 1;
    if (receive_pattern(child->connection, 0, 100) != 100) return 2;
    send_pattern(child->connection, 0, 100);
    return 0;
}

static int pass(int fd) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {0};
    char byte = 'x';
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    int pair[2], passed;

    control.header =
        (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
    need(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    need(sendmsg(pair[0], &message, 0));
    need(recvmsg(pair[1], &message, 0));
    memcpy(&passed, CMSG_DATA(&control.header), sizeof(passed));
    return passed;
}

static void body(int family) {
    struct connection connection;
    static struct saved saved;
    int duplicate, passed, go[2];
    struct child child;
    pid_t pid;

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    duplicate = need(dup(connection.b));
    passed = pass(connection.b);
    need(pipe(go));
    child = (struct child){connection.b, go[0]};
    pid = start(inherit, &child);
    lock(connection.b);
    save(connection.b, &saved);
    revive(connection.b, &saved);
    close(connection.b);

    send_pattern(connection.a, 0, 100);
    need(write(go[1], "x", 1));
    expect(finish(pid) == 0, "the inherited fd does not read and write the revived connection");
    send_pattern(duplicate, 100, 100);
    send_pattern(passed, 200, 100);
    expect(receive_pattern(connection.a, 0, 300) == 300, "the dup'ed or the passed fd does not write to it");
    holds("inherited, dup'ed and passed fds all read and wrote the revived connection");
}

int main(void) { return check_families(body); }
