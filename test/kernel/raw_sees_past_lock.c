/* An in-band segment, body and all, reaches a raw socket although the TCP socket that it is addressed to is locked.
 *
 * Source: ip_protocol_deliver_rcu() in net/ipv4/ip_input.c calls raw_local_deliver(), and ip6_protocol_deliver_rcu() in
 * net/ipv6/ip6_input.c raw6_local_deliver(), before tcp_v4_rcv() and tcp_v6_rcv() run the socket's own filter.
 * Relied on by: RESUME and CANCEL, which come to a peer whose socket is locked. */
#include "harness/hosts.h"
#include "harness/in_band.h"
#include "harness/result.h"
#include "harness/tcp.h"

static void body(int family) {
    struct connection connection;
    struct segment segment, answer;
    int raw, tap;

    hosts_up();
    connection = connect_hosts(family);
    send_pattern(connection.b, 0, 3000);
    expect(receive_pattern(connection.a, 0, 3000) == 3000, "no plain data");
    wait_acknowledged(connection.b);
    raw = in_band_open(family);
    lock(connection.a);
    tap = tap_open();
    enter(B);
    segment = in_band_send(connection.b, 0, 1000);
    expect(in_band_next(raw, family, segment.source, 1000), "the raw socket did not get it");
    expect(!tap_next(tap, true, 100, &answer), "the locked socket answered");
    holds("the raw socket got it, the locked socket did not answer");
}

int main(void) { return check_families(body); }
