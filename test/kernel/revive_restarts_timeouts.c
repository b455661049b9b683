/* connect(AF_UNSPEC) leaves TCP_USER_TIMEOUT as it was set; what a revived socket sends is timed from then on, not from before.
 *
 * Source: tcp_disconnect() in net/ipv4/tcp.c clears retrans_stamp, icsk_retransmits and icsk_probes_out, not
 * icsk_user_timeout; tcp_retransmit_timer() in net/ipv4/tcp_timer.c takes the time of the first retransmission anew.
 * Relied on by: the end of a hold. A connection that retransmitted for hours is revived in place before TCP's own limits
 * count again; otherwise the next timer would end it at once. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

static void body(int family) {
    struct connection connection;
    static struct saved saved;
    struct pollfd end;

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    set_option(connection.b, IPPROTO_TCP, TCP_USER_TIMEOUT, 30000);
    lock(connection.b);
    send_pattern(connection.b, 0, 1000);
    while (tcp_info_of(connection.b).tcpi_total_retrans < 3) usleep(10000);

    save(connection.b, &saved);
    saved.unsent = saved.sent;
    saved.sent = 0;
    revive_empty(connection.b, &saved);
    revive_queues(connection.b, &saved);
    expect(get_option(connection.b, IPPROTO_TCP, TCP_USER_TIMEOUT) == 30000,
           "connect(AF_UNSPEC) changes TCP_USER_TIMEOUT");
    lock(connection.b);
    /* Less than what it retransmitted for already. */
    set_option(connection.b, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000);
    repair(connection.b, TCP_REPAIR_OFF_NO_WP);
    send_pattern(connection.b, 0, 1000);
    end = (struct pollfd){.fd = connection.b};
    expect(poll(&end, 1, 700) == 0, "the time before the revive counts");
    unlock(connection.b);
    expect(receive_pattern(connection.a, 0, 1000) == 1000, "the bytes did not come");
    holds("TCP_USER_TIMEOUT stayed; the clock started anew");
}

int main(void) { return check_families(body); }
