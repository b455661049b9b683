/* A send queue repaired as sent is not sent again for a second or more; the same bytes sent after repair mode leave at once.
 *
 * Source: a repaired connection has no round-trip sample, so tcp_init_metrics() in net/ipv4/tcp_metrics.c sets
 * icsk_rto to TCP_TIMEOUT_FALLBACK (3 s) where the host has no cached metrics of the other end, and
 * tcp_schedule_loss_probe() in net/ipv4/tcp_output.c waits TCP_TIMEOUT_INIT (1 s).
 * Relied on by: revive, which learns the other end's rcv_nxt first and sends all after it as unsent data. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

static void body(int family) {
    static struct saved saved;
    struct connection connection;
    struct segment segment;
    int tap;

    hosts_up();
    connection = connect_hosts(family);
    tap = tap_open();
    lock(connection.b);
    send_pattern(connection.a, 0, 1000);
    lock(connection.a);
    save(connection.a, &saved);
    expect(saved.sent == 1000 && saved.unsent == 0, "%d sent and %d unsent bytes saved, not 1000 and 0", saved.sent,
           saved.unsent);
    unlock(connection.b);
    tap_count(tap, true);

    revive(connection.a, &saved);
    expect(tap_next(tap, true, 0, &segment) && !segment.body, "no window probe");
    expect(!tap_next(tap, true, 900, &segment), "%zu bytes were sent again before 0.9 s", segment.body);
    expect(unacknowledged(connection.a) == 1000, "the queue went out unseen");

    lock(connection.a);
    save(connection.a, &saved);
    saved.unsent = saved.sent;
    saved.sent = 0;
    revive(connection.a, &saved);
    expect(tap_next(tap, true, 0, &segment) && !segment.body, "no window probe");
    expect(tap_next(tap, true, 0, &segment) && segment.body == 1000, "unsent bytes did not leave with send()");
    expect(receive_pattern(connection.b, 0, 1000) == 1000, "the bytes did not come");
    holds("repaired as sent: nothing within 0.9 s; sent after repair mode: at once");
}

int main(void) { return check_families(body); }
