/* TCP_REPAIR_OPTIONS is refused with EPERM once the socket has sent data; filling queues in repair mode is not sending.
 *
 * Source: do_tcp_setsockopt() in net/ipv4/tcp.c, case TCP_REPAIR_OPTIONS: ESTABLISHED and !tp->bytes_sent, which
 * __tcp_transmit_skb() counts.
 * Relied on by: the order of revive: options after connect, before repair mode ends. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <errno.h>
#include <string.h>

static int set_mss(int fd) {
    struct tcp_repair_opt option = {.opt_code = 2, .opt_val = 1400};

    return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, &option, sizeof(option));
}

static void body(int family) {
    static struct saved saved;
    struct connection connection, other;

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    lock(connection.b);
    save(connection.b, &saved);
    revive_empty(connection.b, &saved);
    set_option(connection.b, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE);
    need(send(connection.b, "repaired", 8, 0));
    expect(!set_mss(connection.b), "refused after the queue was filled in repair mode: %s", strerror(errno));

    other = connect_hosts(family);
    send_pattern(other.a, 0, 1);
    repair(other.a, TCP_REPAIR_ON);
    expect(set_mss(other.a) < 0 && errno == EPERM, "not refused with EPERM after data was sent");
    holds("taken after a repaired send queue, EPERM after sent data");
}

int main(void) { return check_families(body); }
