/* A FIN can be taken back and sent again where both ends are revived: it crosses the new path, after all bytes, as a real one.
 *
 * Source: TCP_QUEUE_SEQ and TCP_REPAIR_WINDOW in net/ipv4/tcp.c (rcv_wup may not be past rcv_nxt); the end that sent the FIN
 * starts one sequence number earlier and calls shutdown(), the end that had it expects one earlier.
 * Relied on by: revive of FIN_WAIT2 and CLOSE_WAIT, on either side, without forged packets. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

#include <unistd.h>

enum { FIN_WAIT2 = 5, CLOSE_WAIT = 8 };

static void take_back_sent(struct saved *saved) {
    expect(saved->info.tcpi_state == FIN_WAIT2, "state %d, not FIN_WAIT2", saved->info.tcpi_state);
    saved->send_start--;
}

static void take_back_received(struct saved *saved) {
    expect(saved->info.tcpi_state == CLOSE_WAIT, "state %d, not CLOSE_WAIT", saved->info.tcpi_state);
    saved->receive_start--;
    saved->window.rcv_wup--;
    saved->window.rcv_wnd++;
    saved->unsent += saved->sent; /* what the other end does not have leaves at once */
    saved->sent = 0;
}

/* `closer` has shut its writing side; B moves to its other address; both ends have data unread, and the open one data
 * that is not acknowledged. */
static void move(int family, bool closer_is_b) {
    struct connection connection = connect_hosts(family);
    int closer = closer_is_b ? connection.b : connection.a, open = closer_is_b ? connection.a : connection.b, tap;
    static struct saved saved_a, saved_b;
    struct segment segment;
    char byte;

    enter(closer_is_b ? B : A);
    tap = tap_open();
    send_pattern(closer, 0, 1000);
    send_pattern(open, 0, 600);
    need(shutdown(closer, SHUT_WR));
    while (tcp_info_of(closer).tcpi_state != FIN_WAIT2 || unacknowledged(open)) readable(closer, 0);
    lock(closer);
    send_pattern(open, 600, 400);
    lock(open);

    save(connection.a, &saved_a);
    save(connection.b, &saved_b);
    take_back_sent(closer_is_b ? &saved_b : &saved_a);
    take_back_received(closer_is_b ? &saved_a : &saved_b);
    saved_b.local = address_of(family, 3, port_of(&saved_b.local));
    saved_a.remote = saved_b.local;
    enter(A);
    revive_empty(connection.a, &saved_a);
    revive_queues(connection.a, &saved_a);
    enter(B);
    revive_empty(connection.b, &saved_b);
    revive_queues(connection.b, &saved_b);
    unlock(connection.a); /* both, before either speaks: what a locked end drops comes again a second later */
    unlock(connection.b);
    revive_release(connection.a, &saved_a);
    revive_release(connection.b, &saved_b);
    tap_count(tap, true);
    need(shutdown(closer, SHUT_WR));
    while (tap_next(tap, true, 1000, &segment) && !(segment.flags & FIN))
        ;
    expect(segment.flags & FIN, "no FIN crosses the new path");

    expect(receive_pattern(open, 0, 1000) == 1000, "the closed end's bytes did not all come");
    expect(readable(open, 30000) && read(open, &byte, 1) == 0, "no EOF after the last byte");
    send_pattern(open, 1000, 500);
    expect(receive_pattern(closer, 0, 1500) == 1500, "the open end's bytes and its reply did not all come");
    close(open);
    expect(readable(closer, 30000) && read(closer, &byte, 1) == 0, "no EOF at the end of all");
}

static void body(int family) {
    hosts_up();
    move(family, true);
    move(family, false);
    holds("FIN_WAIT2 moved, and CLOSE_WAIT moved: all bytes, EOF, reply, EOF");
}

int main(void) { return check_families(body); }
