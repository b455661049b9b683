/* Under a repaired send window of zero, bytes sent outside repair mode wait unsent; the true window and TCP_NODELAY send them.
 *
 * Source: tcp_snd_wnd_test() in net/ipv4/tcp_output.c; TCP_REPAIR_WINDOW sends nothing by itself, but __tcp_sock_set_nodelay()
 * in net/ipv4/tcp.c calls tcp_push_pending_frames().
 * Relied on by: revive, which fills the queue long before the release lets it go. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

static void set_window(int fd, const struct tcp_repair_window *window) {
    need(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, window, sizeof(*window)));
}

static void body(int family) {
    struct connection connection;
    struct tcp_repair_window shut;
    static struct saved saved;
    struct segment segment;
    int tap;

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    tap = tap_open();
    lock(connection.b);
    save(connection.b, &saved);
    revive_empty(connection.b, &saved);
    shut = saved.window;
    shut.snd_wnd = 0;
    set_window(connection.b, &shut);
    repair(connection.b, TCP_REPAIR_OFF_NO_WP);
    send_pattern(connection.b, 0, 1000);
    expect(!tap_next(tap, true, 100, &segment), "%zu bytes were sent under a window of zero", segment.body);
    expect(unsent(connection.b) == 1000, "%d of 1000 bytes wait unsent", unsent(connection.b));

    repair(connection.b, TCP_REPAIR_ON);
    set_window(connection.b, &saved.window);
    unlock(connection.b);
    repair(connection.b, TCP_REPAIR_OFF_NO_WP);
    expect(tap_count(tap, true) == 0, "the window alone sent them");
    set_option(connection.b, IPPROTO_TCP, TCP_NODELAY, 1);
    expect(tap_next(tap, true, 0, &segment) && segment.body, "TCP_NODELAY did not send them");
    expect(receive_pattern(connection.a, 0, 1000) == 1000, "the bytes did not come");
    holds("1000 bytes waited, and left with TCP_NODELAY under the true window");
}

int main(void) { return check_families(body); }
