/* The registry knows what a socket becomes, and the supervisor is told of it. */
#include <poll.h>

#include "check.h"

static void connection(void) {
    struct sockaddr_in at;
    socklen_t length = sizeof at;
    int listener = OK(socket(AF_INET, SOCK_STREAM, 0)), client = OK(socket(AF_INET, SOCK_STREAM, 0)), server;

    at = loopback(0);
    events();
    OK(bind(listener, generic(&at), sizeof at));
    CHECK(state(listener) == REGISTRY_NEW && events() == 0);
    OK(listen(listener, 1));
    CHECK(state(listener) == REGISTRY_LISTENING && events() == 1);
    CHECK(syscall(SYS_getsockname, listener, &at, &length) == 0);
    OK(connect(client, generic(&at), sizeof at));
    CHECK(state(client) == REGISTRY_CONNECTED && events() == 1);
    server = OK(accept(listener, NULL, NULL));
    CHECK(state(server) == REGISTRY_CONNECTED && events() == 1);
    OK(shutdown(client, SHUT_WR));
    CHECK(state(client) == REGISTRY_CONNECTED);
    events();
    int copy = OK(dup(client));
    OK(close(copy));
    CHECK(events() == 0);
    OK(close(client));
    CHECK(events() == 1);
    OK(close(server));
    OK(close(listener));
    CHECK(events() == 2);
}

static void in_the_background(void) {
    struct sockaddr_in at, name;
    socklen_t length = sizeof name;
    int listener = listening(&at), client = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    struct pollfd ready = {.fd = client, .events = POLLOUT};

    events();
    if (connect(client, generic(&at), sizeof at) < 0) {
        CHECK(errno == EINPROGRESS);
    }
    CHECK(state(client) == REGISTRY_CONNECTED && events() == 1);
    CHECK(poll(&ready, 1, -1) == 1);
    OK(getpeername(client, generic(&name), &length));
    CHECK(name.sin_port == at.sin_port);
    OK(connect(client, generic(&at), sizeof at));
    FAILS(connect(client, generic(&at), sizeof at), EISCONN);
    CHECK(state(client) == REGISTRY_CONNECTED);
    OK(close(client));
    OK(close(listener));
}

static void refused(void) {
    struct sockaddr_in at;
    int listener = listening(&at), client = OK(socket(AF_INET, SOCK_STREAM, 0));

    OK(close(listener));
    events();
    FAILS(connect(client, generic(&at), sizeof at), ECONNREFUSED);
    CHECK(state(client) == REGISTRY_NEW && events() == 0);
    OK(close(client));
    FAILS(listen(999, 1), EBADF);
    FAILS(bind(999, generic(&at), sizeof at), EBADF);
    FAILS(shutdown(999, SHUT_WR), EBADF);
}

static void taken_apart(void) {
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    int ends[2];

    tcp_pair(ends);
    OK(connect(ends[0], &nobody, sizeof nobody));
    CHECK(state(ends[0]) == REGISTRY_NEW && atomic_load(&record(ends[0])->peer.length) == 0);
    OK(close(ends[0]));
    OK(close(ends[1]));
}

static void fast_open(void) {
    struct sockaddr_in at;
    int listener = listening(&at), client = OK(socket(AF_INET, SOCK_STREAM, 0));

    if (sendto(client, "x", 1, MSG_FASTOPEN, generic(&at), sizeof at) == 1) {
        CHECK(state(client) == REGISTRY_CONNECTED);
        CHECK(atomic_load(&record(client)->peer.length) == sizeof at);
    }
    OK(close(client));
    OK(close(listener));
}

/* The supervisor is not told of sockets that can be no connection between hosts. */
static void local(void) {
    int pair[2];

    events();
    OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
    OK(shutdown(pair[0], SHUT_RDWR));
    CHECK(events() == 0);
    OK(close(pair[0]));
    OK(close(pair[1]));
}

int main(void) {
    registry_open();
    connection();
    in_the_background();
    refused();
    taken_apart();
    fast_open();
    local();
    return 0;
}
