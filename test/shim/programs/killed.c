/*
 * A program whose children are killed: they drop none of their sockets.
 *
 *   killed CHILDREN SOCKETS
 *
 * Each child opens so many, and kills itself. Then this writes the inodes of the sockets that are left, waits for a byte,
 * while somebody sweeps the registry, and checks that all is right about those.
 */
#include <sys/resource.h>

#include "check.h"

#define FRAGMENT 1400

static void killed_child(int sockets) {
    struct rlimit limit;
    pid_t child = OK(fork());
    int status;

    if (child == 0) {
        CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        limit.rlim_cur = limit.rlim_max;
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        for (int i = 0; i < sockets; i++) OK(socket(AF_INET, SOCK_STREAM, 0));
        raise(SIGKILL);
    }
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static int with_hidden_option(void) {
    int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0)), size = FRAGMENT;

    OK(setsockopt(fd, IPPROTO_IPV6, IPV6_MTU, &size, sizeof size));
    return fd;
}

static struct sockaddr_in name_of(int fd) {
    struct sockaddr_in name;
    socklen_t length = sizeof name;

    OK(getsockname(fd, generic(&name), &length));
    return name;
}

static void knows(int fd, uint64_t hidden) {
    CHECK(references(fd) > 0 && (uint32_t)atomic_load(&record(fd)->hidden) == hidden);
}

/* To the shim, `file` is still the socket that was closed past it, and whose slot one of these new sockets has. */
static void is_not_taken_for_another(int file) {
    int fds[8], copy;

    for (int i = 0; i < 8; i++) fds[i] = OK(socket(AF_INET, SOCK_STREAM, 0));
    copy = OK(dup(file));
    OK(close(copy));
    for (int i = 0; i < 8; i++) {
        CHECK(references(fds[i]) == 1 && slot_of_inode(inode_of(fds[i])) < 16);
        OK(close(fds[i]));
    }
}

int main(int argc, char **argv) {
    struct sockaddr_in before;
    int children, sockets, early, late, closed, ends[2];
    char byte;

    CHECK(argc == 3);
    registry_open();
    children = atoi(argv[1]);
    sockets = atoi(argv[2]);
    early = with_hidden_option();
    tcp_pair(ends);
    before = name_of(ends[0]);
    closed = OK(socket(AF_INET, SOCK_STREAM, 0));
    for (int i = 0; i < children; i++) killed_child(sockets);
    late = with_hidden_option();
    if (atomic_load(&registry->grown)) registry_open_more();
    CHECK(slot_of_inode(inode_of(late)) >= children * sockets);
    CHECK(syscall(SYS_close, closed) == 0);

    printf("%lu %lu %lu %lu\n", inode_of(early), inode_of(ends[0]), inode_of(ends[1]), inode_of(late));
    fflush(stdout);
    CHECK(read(STDIN_FILENO, &byte, 1) == 1);

    knows(early, HIDDEN(FRAGMENT_SIZE));
    knows(late, HIDDEN(FRAGMENT_SIZE));
    knows(ends[0], 0);
    CHECK(atomic_load(&record(ends[0])->local.length) == sizeof before);
    CHECK(memcmp(record(ends[0])->local.bytes, &before, sizeof before) == 0);
    CHECK(name_of(ends[0]).sin_port == before.sin_port);
    CHECK(OK(open("/dev/null", O_RDONLY)) == closed);
    is_not_taken_for_another(closed);
    OK(close(late));
    OK(close(early));
    OK(close(ends[0]));
    puts("right");
    return 0;
}
