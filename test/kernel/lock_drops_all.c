/* A drop-all socket filter keeps every segment from TCP: no ACK, no RST, and retransmission repairs all after it.
 *
 * Source: tcp_v4_rcv() and tcp_v6_rcv() run tcp_filter() before the socket is locked or its backlog used
 * (net/ipv4/tcp_ipv4.c); sk_attach_filter() in net/core/filter.c.
 * Relied on by: lock, on both sides of every migration; rebind. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

static void body(int family) {
    struct connection connection;
    struct segment segment;
    size_t got;
    int tap;

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    tap = tap_open();
    lock(connection.b);
    send_pattern(connection.a, 0, 5000);
    expect(tap_next(tap, false, 1000, &segment), "the segment did not reach the locked socket's host");
    expect(!tap_next(tap, true, 500, &segment), "the locked socket's host answered with flags 0x%x", segment.flags);
    expect(unread(connection.b) == 0, "a locked socket received");
    expect(unacknowledged(connection.a) == 5000, "a locked socket acknowledged");
    unlock(connection.b);
    got = receive_pattern(connection.b, 0, 5000);
    expect(got == 5000, "%zu of 5000 bytes came after the lock", got);
    holds("no answer while locked; after it all 5000 bytes came");
}

int main(void) { return check_families(body); }
