/* A revival that retracts the window's right edge drops segments that the other end was promised room for (Linux 6.17 on).
 *
 * Source: tcp_sequence() in net/ipv4/tcp_input.c (SKB_DROP_REASON_TCP_INVALID_END_SEQUENCE where the receive queue is not
 * empty); the ACK in such a segment is lost with it. tcp_may_update_window() keeps the other end from seeing a smaller window
 * that comes without new data. RFC 9293, 3.8.6: a window must not shrink.
 * Relied on by: revive sets TCP_REPAIR_WINDOW as saved, after the queues and before unsent data. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

/* Revives B's end, with 1000 bytes unread, under that window; sends it 5000 more. Returns how many are unread once the
 * segment has arrived. */
static int revive_with_window(int family, uint32_t window) {
    struct connection connection = connect_hosts(family);
    static struct saved saved;
    struct segment segment;
    int tap, now;

    enter(B);
    tap = tap_open();
    send_pattern(connection.a, 0, 1000);
    wait_acknowledged(connection.a);
    lock(connection.b);
    save(connection.b, &saved);
    expect(saved.window.rcv_wnd > 6000, "a first window of only %u", saved.window.rcv_wnd);
    if (window) saved.window.rcv_wnd = window;
    revive_empty(connection.b, &saved);
    set_option(connection.b, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE);
    need(send(connection.b, saved.receive_queue, saved.received, 0));
    need(setsockopt(connection.b, IPPROTO_TCP, TCP_REPAIR_WINDOW, &saved.window, sizeof(saved.window)));
    unlock(connection.b);
    repair(connection.b, TCP_REPAIR_OFF_NO_WP); /* a window probe would name a new window */
    tap_count(tap, false);
    send_pattern(connection.a, 1000, 5000);
    while (tap_next(tap, false, 1000, &segment) && !segment.body)
        ;
    expect(tap_next(tap, true, 1000, &segment), "no answer to the segment");
    now = unread(connection.b);
    expect(receive_pattern(connection.b, 0, 6000) == 6000, "the bytes did not come with retransmission either");
    return now;
}

static void body(int family) {
    int kept, retracted;

    hosts_up();
    kept = revive_with_window(family, 0);
    retracted = revive_with_window(family, 100);
    expect(kept == 6000, "right edge kept: %d of 6000 bytes there", kept);
    if (retracted == 6000) holds("kept: all received at once; retracted: all received too, as before Linux 6.17");
    expect(retracted == 1000, "right edge retracted: %d bytes there, neither 1000 nor 6000", retracted);
    holds("kept: all received at once; retracted: dropped, and received only when sent again");
}

int main(void) { return check_families(body); }
