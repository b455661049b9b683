/* A connection over loopback that is revived with real addresses leaves by the network interface, in segments that fit it.
 *
 * Source: tcp_disconnect() in net/ipv4/tcp.c drops the route that the socket had (sk_dst_reset()); tcp_v4_connect() in
 * net/ipv4/tcp_ipv4.c and tcp_v6_connect() in net/ipv6/tcp_ipv6.c look up another, and tcp_connect_init() in
 * net/ipv4/tcp_output.c cuts the size of segments to its MTU, whatever mss_clamp the other end once named on loopback.
 * Relied on by: neighbours that a program leaves behind, which it had reached at 127.0.0.1 or ::1. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <unistd.h>

enum {
    ALL = 40000,
    EARLY = 3000,
    MAX_TCP_MAXSEG = 32767, /* of setsockopt(); on loopback more is named */
};

static union address loopback(int family) {
    union address address = {.v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}};

    if (family == AF_INET)
        address = (union address){.v4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}}};
    return address;
}

/* Makes a connection of which both ends are on the host that is entered. */
static struct connection connect_loopback(int family) {
    union address address = loopback(family);
    socklen_t size = address_size(&address);
    int listener = need(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct connection connection = {.a = need(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0))};

    need(bind(listener, &address.any, size));
    need(listen(listener, 1));
    address = local_of(listener);
    need(connect(connection.a, &address.any, size));
    connection.b = need(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    close(listener);
    return connection;
}

static void body(int family) {
    static struct saved stays, leaves;
    struct connection connection;
    int there, before, after;

    hosts_up();
    connection = connect_loopback(family);
    send_pattern(connection.a, 0, EARLY);
    wait_acknowledged(connection.a);
    before = (int)tcp_info_of(connection.a).tcpi_snd_mss;
    lock(connection.a);
    lock(connection.b);
    save(connection.a, &stays);
    save(connection.b, &leaves);
    stays.connect_mss = leaves.connect_mss = MAX_TCP_MAXSEG;
    stays.local = leaves.remote = address_of(family, 1, port_of(&stays.local));
    stays.remote = leaves.local = address_of(family, 2, port_of(&leaves.local));
    repair(connection.b, TCP_REPAIR_ON);
    close(connection.b);
    enter(B);
    there = need(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    revive_empty(there, &leaves);
    revive_queues(there, &leaves);
    enter(A);
    revive_empty(connection.a, &stays);
    revive_queues(connection.a, &stays);
    revive_release(connection.a, &stays);
    revive_release(there, &leaves);
    after = (int)tcp_info_of(connection.a).tcpi_snd_mss;
    expect(before > 1500 && after <= 1460, "segments of %d bytes, then of %d", before, after);
    send_pattern(connection.a, EARLY, ALL);
    expect(receive_pattern(there, 0, EARLY + ALL) == EARLY + ALL, "the bytes did not arrive on the other host");
    send_pattern(there, 0, ALL);
    expect(receive_pattern(connection.a, 0, ALL) == ALL, "no answer arrived");
    holds("segments of %d bytes became such of %d; all bytes crossed", before, after);
}

int main(void) { return check_families(body); }
