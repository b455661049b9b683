/* Every call that makes a descriptor of a socket makes it known. */
#include <sys/pidfd.h>
#include <sys/un.h>

#include "check.h"

static void sockets(void) {
    static const int kinds[][2] = {{AF_INET, SOCK_STREAM}, {AF_INET6, SOCK_STREAM}, {AF_INET, SOCK_DGRAM}};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        int fd = OK(socket(kinds[i][0], kinds[i][1] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        CHECK(references(fd) == 1);
        CHECK(record(fd)->type == kinds[i][1]);
        CHECK(state(fd) == REGISTRY_NEW);
        OK(close(fd));
    }
    FAILS(socket(-1, 0, 0), EAFNOSUPPORT);
}

/* The registry has no sockets of other families. */
static void others(void) {
    struct sockaddr_un at = {.sun_family = AF_UNIX}; /* the kernel chooses a name */
    socklen_t length = sizeof at;
    int fds[5] = {OK(socket(AF_UNIX, SOCK_STREAM, 0)), OK(socket(AF_UNIX, SOCK_STREAM, 0))};

    OK(bind(fds[0], (struct sockaddr *)&at, sizeof at.sun_family));
    OK(listen(fds[0], 1));
    OK(getsockname(fds[0], (struct sockaddr *)&at, &length));
    OK(connect(fds[1], (struct sockaddr *)&at, length));
    fds[2] = OK(accept(fds[0], NULL, NULL));
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds + 3));
    for (int i = 0; i < 5; i++) {
        CHECK(slot_of_inode(inode_of(fds[i])) < 0);
        OK(close(fds[i]));
    }
}

static void accepts(void) {
    struct sockaddr_in at, from;
    socklen_t length = sizeof from;
    int listener = listening(&at), ends[2], clients[2];

    for (int i = 0; i < 2; i++) {
        clients[i] = OK(socket(AF_INET, SOCK_STREAM, 0));
        OK(connect(clients[i], generic(&at), sizeof at));
    }
    ends[0] = OK(accept(listener, generic(&from), &length));
    ends[1] = OK(accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK));
    for (int i = 0; i < 2; i++) {
        CHECK(references(ends[i]) == 1 && state(ends[i]) == REGISTRY_CONNECTED);
        CHECK(record(ends[i])->type == SOCK_STREAM);
        OK(close(ends[i]));
        OK(close(clients[i]));
    }
    OK(close(listener));
}

static void duplicates(void) {
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0)), other = OK(socket(AF_INET, SOCK_STREAM, 0));
    uint64_t inode = inode_of(fd), replaced = inode_of(other);
    int copies[5] = {OK(dup(fd)), OK(dup2(fd, other)), OK(dup3(fd, 100, O_CLOEXEC)), OK(fcntl(fd, F_DUPFD, 200)),
                     OK(fcntl(fd, F_DUPFD_CLOEXEC, 300))};

    CHECK(copies[1] == other && copies[2] == 100 && copies[3] == 200 && copies[4] == 300);
    CHECK(references_of_inode(replaced) == 0);
    CHECK(references_of_inode(inode) == 6);
    CHECK(dup2(fd, fd) == fd && references_of_inode(inode) == 6);
    FAILS(dup3(fd, fd, 0), EINVAL);
    FAILS(dup2(999, fd), EBADF);
    FAILS(dup(999), EBADF);
    CHECK(references_of_inode(inode) == 6);
    for (int i = 0; i < 5; i++) {
        OK(close(copies[i]));
        CHECK(references_of_inode(inode) == 5u - (uint32_t)i);
    }
    OK(close(fd));
    CHECK(references_of_inode(inode) == 0);
}

/* A descriptor that is no socket takes the number of one that is. */
static void replacement(void) {
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0)), file = OK(open("/dev/null", O_RDONLY));
    uint64_t inode = inode_of(fd);

    OK(dup2(file, fd));
    CHECK(references_of_inode(inode) == 0);
    OK(close(fd));
    OK(close(file));
}

static void taken_from_a_process(void) {
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
    int self = pidfd_open(getpid(), 0);
    int copy = OK(pidfd_getfd(self, fd, 0));

    CHECK(references(fd) == 2);
    OK(close(copy));
    CHECK(references(fd) == 1);
    OK(close(fd));
    OK(close(self));
}

static void passed(int many) {
    char control[CMSG_SPACE(2 * sizeof(int))] = {0};
    char byte = 'x';
    struct iovec part = {&byte, 1};
    struct mmsghdr message = {
        .msg_hdr = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control}};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message.msg_hdr);
    int pair[2], fds[2] = {OK(socket(AF_INET, SOCK_STREAM, 0)), OK(open("/dev/null", O_RDONLY))}, arrived[2];

    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(header), fds, sizeof fds);
    OK(sendmsg(pair[0], &message.msg_hdr, 0));
    memset(control, 0, sizeof control);
    if (many)
        OK(recvmmsg(pair[1], &message, 1, 0, NULL));
    else
        OK(recvmsg(pair[1], &message.msg_hdr, 0));
    memcpy(arrived, CMSG_DATA(CMSG_FIRSTHDR(&message.msg_hdr)), sizeof arrived);
    CHECK(inode_of(arrived[0]) == inode_of(fds[0]) && references(fds[0]) == 2);
    for (int i = 0; i < 2; i++) {
        OK(close(pair[i]));
        OK(close(fds[i]));
        OK(close(arrived[i]));
    }
}

/* The close went past the shim: the number must not stand for the old socket. */
static void missed_close(void) {
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
    uint64_t inode = inode_of(fd);

    CHECK(syscall(SYS_close, fd) == 0);
    CHECK(OK(socket(AF_INET6, SOCK_DGRAM, 0)) == fd);
    CHECK(references_of_inode(inode) == 0 && references(fd) == 1 && record(fd)->type == SOCK_DGRAM);
    inode = inode_of(fd);
    CHECK(syscall(SYS_close, fd) == 0);
    CHECK(OK(socket(AF_UNIX, SOCK_STREAM, 0)) == fd);
    CHECK(references_of_inode(inode) == 0);
    OK(close(fd));
}

int main(void) {
    registry_open();
    sockets();
    others();
    accepts();
    duplicates();
    replacement();
    taken_from_a_process();
    passed(0);
    passed(1);
    missed_close();
    return 0;
}
