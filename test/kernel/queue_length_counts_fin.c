/* SIOCOUTQ (and SIOCOUTQNSD, unsent) count an unacknowledged FIN of the socket's own; SIOCINQ never counts the other end's.
 *
 * Source: tcp_ioctl() in net/ipv4/tcp.c (write_seq - snd_una, write_seq - snd_nxt); tcp_inq() in
 * include/net/tcp.h takes the FIN off again (SOCK_DONE); tcp_queue_skb() counts the FIN in write_seq.
 * Relied on by: save. In FIN_WAIT1, LAST_ACK and CLOSING there is one byte less to read than counted. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

static void expect_state(int fd, int state, const char *name) {
    int now = tcp_info_of(fd).tcpi_state;

    expect(now == state, "state %d where %s (%d) was to be", now, name, state);
}

static void wait_state_of(int fd, int state) {
    while (tcp_info_of(fd).tcpi_state != state) /* a retransmission away; the time limit ends it */
        readable(fd, 1);
}

static int peekable(int fd) {
    uint8_t bytes[8192];
    int size;

    repair(fd, TCP_REPAIR_ON);
    set_option(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE);
    size = need(recv(fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT));
    repair(fd, TCP_REPAIR_OFF_NO_WP);
    return size;
}

static void body(int family) {
    enum { FIN_WAIT1 = 4, CLOSE_WAIT = 8, LAST_ACK = 9, CLOSING = 11 };
    struct connection one, two, three;
    uint32_t before;
    int total;

    hosts_up();
    one = connect_hosts(family);
    lock(one.b);
    send_pattern(one.a, 0, 1000);
    need(shutdown(one.a, SHUT_WR));
    expect_state(one.a, FIN_WAIT1, "FIN_WAIT1");
    expect(unacknowledged(one.a) == 1001, "FIN_WAIT1 with 1000 bytes: SIOCOUTQ %d", unacknowledged(one.a));
    expect(peekable(one.a) == 1000, "FIN_WAIT1 with 1000 bytes: %d to read", peekable(one.a));

    repair(one.b, TCP_REPAIR_ON);
    before = queue_seq(one.b, TCP_RECV_QUEUE);
    repair(one.b, TCP_REPAIR_OFF_NO_WP);
    unlock(one.b);
    wait_state_of(one.b, CLOSE_WAIT);
    expect(unread(one.b) == 1000, "CLOSE_WAIT with 1000 bytes unread: SIOCINQ %d", unread(one.b));
    repair(one.b, TCP_REPAIR_ON);
    expect(queue_seq(one.b, TCP_RECV_QUEUE) - before == 1001, "rcv_nxt does not count the FIN");
    repair(one.b, TCP_REPAIR_OFF_NO_WP);
    lock(one.a);
    send_pattern(one.b, 0, 700);
    need(shutdown(one.b, SHUT_WR));
    expect_state(one.b, LAST_ACK, "LAST_ACK");
    expect(unacknowledged(one.b) == 701 && unread(one.b) == 1000,
           "LAST_ACK with 700 and 1000 bytes: SIOCOUTQ %d, SIOCINQ %d", unacknowledged(one.b), unread(one.b));

    two = connect_hosts(family);
    lock(two.b);
    send_pattern(two.a, 0, 1000);
    need(shutdown(two.a, SHUT_WR));
    lock(two.a);
    send_pattern(two.b, 0, 700);
    need(shutdown(two.b, SHUT_WR));
    unlock(two.a);
    wait_state_of(two.a, CLOSING);
    expect(unacknowledged(two.a) == 1001 && unread(two.a) == 700,
           "CLOSING with 1000 and 700 bytes: SIOCOUTQ %d, SIOCINQ %d", unacknowledged(two.a), unread(two.a));

    three = connect_hosts(family);
    lock(three.b);
    set_option(three.a, SOL_SOCKET, SO_SNDBUF, 1 << 20);
    send_pattern(three.a, 0, 400000); /* more than the first congestion window: the rest waits, and the FIN last */
    total = unsent(three.a);
    need(shutdown(three.a, SHUT_WR));
    expect(total && unsent(three.a) == total + 1, "%d bytes unsent, and %d with the FIN", total, unsent(three.a));
    holds("FIN_WAIT1 1001 for 1000 bytes, LAST_ACK 701 for 700, CLOSING 1001 for 1000; unread FINs uncounted");
}

int main(void) { return check_families(body); }
