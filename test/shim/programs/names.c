/* A connection that moved has other addresses, and the program goes on being told those that it knew. Here the move is a dup2
 * past the shim: the descriptor is suddenly another connection. */
#include "check.h"

static struct sockaddr_in local(int fd) {
    struct sockaddr_in name;
    socklen_t length = sizeof name;

    OK(getsockname(fd, generic(&name), &length));
    CHECK(length == sizeof name);
    return name;
}

static struct sockaddr_in peer(int fd) {
    struct sockaddr_in name;
    socklen_t length = sizeof name;

    OK(getpeername(fd, generic(&name), &length));
    CHECK(length == sizeof name);
    return name;
}

static int same(struct sockaddr_in a, struct sockaddr_in b) {
    return a.sin_port == b.sin_port && a.sin_addr.s_addr == b.sin_addr.s_addr;
}

static void move(int fd, int other) { CHECK(syscall(SYS_dup2, other, fd) == fd); }

static void asked_before(void) {
    int one[2], two[2];

    tcp_pair(one);
    tcp_pair(two);
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in my = local(one[i]), its = peer(one[i]);
        move(one[i], two[i]);
        CHECK(same(my, local(one[i])) && same(its, peer(one[i])));
        CHECK(!same(my, local(two[i])));
    }
    int copy = OK(dup(one[0]));
    CHECK(same(local(copy), local(one[0])));
    close_range((unsigned int)one[0], (unsigned int)copy, 0);
}

/* connect and accept tell the peer's name, too. */
static void told_otherwise(void) {
    struct sockaddr_in at, from, real;
    socklen_t length = sizeof from;
    int listener = listening(&at), client = OK(socket(AF_INET, SOCK_STREAM, 0)), server, other[2];

    OK(connect(client, generic(&at), sizeof at));
    server = OK(accept(listener, generic(&from), &length));
    tcp_pair(other);
    move(client, other[0]);
    move(server, other[1]);
    CHECK(same(at, peer(client)));
    CHECK(same(from, peer(server)));
    length = sizeof real;
    CHECK(syscall(SYS_getsockname, server, &real, &length) == 0);
    CHECK(same(real, local(server)));
    OK(close(client));
    OK(close(server));
    OK(close(other[0]));
    OK(close(other[1]));
    OK(close(listener));
}

static void listeners(void) {
    struct sockaddr_in at, its;
    int listener = listening(&at), other = listening(&its);

    CHECK(same(at, local(listener)));
    move(listener, other);
    CHECK(same(at, local(listener)));
    OK(close(other));
    OK(close(listener));
}

/* A name that is not fixed yet changes, and a new connection has new names. */
static void not_kept(void) {
    struct sockaddr_in at, any;
    int listener = listening(&at), fd = OK(socket(AF_INET, SOCK_STREAM, 0)),
        datagrams = OK(socket(AF_INET, SOCK_DGRAM, 0));
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    CHECK(local(fd).sin_port == 0);
    any = loopback(0);
    OK(bind(fd, generic(&any), sizeof any));
    CHECK(local(fd).sin_port != 0);
    OK(connect(fd, generic(&at), sizeof at));
    CHECK(same(peer(fd), at));
    OK(connect(fd, &nobody, sizeof nobody));
    socklen_t length = sizeof any;
    FAILS(getpeername(fd, generic(&any), &length), ENOTCONN);
    CHECK(local(datagrams).sin_port == 0);
    any = loopback(0);
    OK(bind(datagrams, generic(&any), sizeof any));
    CHECK(local(datagrams).sin_port != 0);
    OK(close(datagrams));
    OK(close(fd));
    OK(close(listener));
}

static void small_buffers(void) {
    int ends[2];
    struct sockaddr_in name, whole;
    socklen_t length = 4;

    tcp_pair(ends);
    whole = local(ends[0]);
    memset(&name, 0, sizeof name);
    OK(getsockname(ends[0], generic(&name), &length));
    CHECK(length == sizeof name && name.sin_port == whole.sin_port && name.sin_addr.s_addr == 0);
    FAILS(getsockname(ends[0], NULL, NULL), EFAULT);
    length = (socklen_t)-1;
    FAILS(getsockname(ends[0], generic(&name), &length), EINVAL);
    length = sizeof name;
    FAILS(getsockname(999, generic(&name), &length), EBADF);
    OK(close(ends[0]));
    OK(close(ends[1]));
}

int main(void) {
    registry_open();
    asked_before();
    told_otherwise();
    listeners();
    not_kept();
    small_buffers();
    return 0;
}
