/* A RST that reaches a locked socket is dropped unseen.
 *
 * Source: tcp_filter() runs before tcp_rcv_established() and tcp_reset() (net/ipv4/tcp_ipv4.c, tcp_input.c).
 * Relied on by: resume. The target speaks on a path that the peer's kernel does not know yet; its RST must
 * not reach the revived, still locked socket. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

#include <errno.h>
#include <unistd.h>

/* Sends B's end the RST that its state accepts without a challenge: at exactly rcv_nxt (RFC 5961). */
static void send_rst(struct connection connection) {
    union address from = local_of(connection.a), to = remote_of(connection.a);
    struct segment rst = {.flags = RST};

    repair(connection.a, TCP_REPAIR_ON);
    rst.seq = queue_seq(connection.a, TCP_SEND_QUEUE);
    repair(connection.a, TCP_REPAIR_OFF_NO_WP);
    inject(&from, &to, &rst, NULL, 0);
}

static void body(int family) {
    struct connection connection;
    struct segment seen;
    char byte;
    int tap;

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    tap = tap_open();
    enter(A);
    lock(connection.b);
    send_rst(connection);
    expect(tap_next(tap, false, 1000, &seen) && seen.flags == RST, "the RST did not arrive");
    unlock(connection.b);
    send_pattern(connection.a, 0, 1000);
    expect(receive_pattern(connection.b, 0, 1000) == 1000, "the locked socket saw the RST");

    send_rst(connection); /* the same RST without a lock: it was a good one */
    expect(readable(connection.b, 30000) && read(connection.b, &byte, 1) < 0 && errno == ECONNRESET,
           "the RST does not end an unlocked connection either: it proves nothing");
    holds("dropped while locked; the same RST ends the connection unlocked");
}

int main(void) { return check_families(body); }
