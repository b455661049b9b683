/* Over loopback a socket filter locks a connection, and in-band segments pass it and reach a raw socket, as between hosts.
 *
 * Source: loopback_xmit() in drivers/net/loopback.c gives each packet to the host's own input, where tcp_v4_rcv() and
 * tcp_v6_rcv() run the socket's filter and raw sockets are served before them. A segment is checked against the connection's
 * numbers there as anywhere (tcp_validate_incoming()).
 * Relied on by: neighbours on the host that a program leaves, whose agent is the program's own. */
#include "harness/hosts.h"
#include "harness/in_band.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <unistd.h>

enum { SOME = 3000 };

static void check_at(int family, union address address, const char *where) {
    socklen_t size = address_size(&address);
    int listener = need(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)), raw = in_band_open(family), far;
    int near = need(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct segment segment;

    need(bind(listener, &address.any, size));
    need(listen(listener, 1));
    address = local_of(listener);
    need(connect(near, &address.any, size));
    far = need(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    send_pattern(near, 0, SOME);
    wait_acknowledged(near);
    lock(far);
    segment = in_band_send(near, 0, 1000);
    expect(in_band_next(raw, family, segment.source, 1000), "the raw socket did not get it at %s", where);
    send_pattern(near, SOME, SOME);
    expect(unread(far) == SOME && unacknowledged(near) == SOME, "the lock did not hold at %s", where);
    unlock(far);
    expect(receive_pattern(far, 0, 2 * SOME) == 2 * SOME, "the bytes did not arrive after the lock at %s", where);
    expect(!readable(far, 0), "there is more to read at %s", where);
    close(raw);
    close(listener);
}

static void body(int family) {
    union address address = {.v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}};

    if (family == AF_INET)
        address = (union address){.v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};
    hosts_up();
    check_at(family, address, "loopback");
    check_at(family, address_of(family, 1, 0), "the host's own address");
    holds("locked, and the raw socket got it, at loopback and at the host's own address");
}

int main(void) { return check_families(body); }
