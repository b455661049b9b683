/* In repair mode connect(AF_UNSPEC), bind, connect and the queues send nothing; leaving it sends one window probe, or nothing.
 *
 * Source: tcp_disconnect() in net/ipv4/tcp.c (no reset where tp->repair, sk_err = ECONNABORTED), tcp_connect() in
 * net/ipv4/tcp_output.c (tcp_finish_connect() at once where tp->repair), tcp_send_window_probe().
 * Relied on by: revive in place, under a new address. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

#include <errno.h>

static void body(int family) {
    static struct saved saved;
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    struct connection connection;
    struct segment probe;
    int tap, error;

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    tap = tap_open();
    lock(connection.b);
    save(connection.b, &saved);
    need(connect(connection.b, &nobody, sizeof(nobody)));
    error = get_option(connection.b, SOL_SOCKET, SO_ERROR);
    expect(error == ECONNABORTED, "connect(AF_UNSPEC) left SO_ERROR %d, not ECONNABORTED", error);
    saved.local = address_of(family, 3, port_of(&saved.local));
    revive_empty(connection.b, &saved);
    expect(tcp_info_of(connection.b).tcpi_state == 1, "not ESTABLISHED after a connect in repair mode");
    expect(tap_count(tap, true) == 0, "something was sent in repair mode");
    repair(connection.b, TCP_REPAIR_OFF_NO_WP);
    expect(tap_count(tap, true) == 0, "something was sent by leaving repair mode with TCP_REPAIR_OFF_NO_WP");
    repair(connection.b, TCP_REPAIR_ON);
    repair(connection.b, TCP_REPAIR_OFF);
    expect(tap_next(tap, true, 0, &probe), "no window probe was sent by leaving repair mode");
    expect(probe.seq == saved.send_start - 1 && !probe.body && probe.flags == ACK && tap_count(tap, true) == 0,
           "leaving repair mode sent more, or another thing, than a window probe");
    holds("nothing was sent but the window probe of TCP_REPAIR_OFF; SO_ERROR was ECONNABORTED");
}

int main(void) { return check_families(body); }
