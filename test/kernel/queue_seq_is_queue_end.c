/* TCP_QUEUE_SEQ of a live socket is the end of the queue: write_seq and rcv_nxt.
 *
 * Source: do_tcp_getsockopt() in net/ipv4/tcp.c, case TCP_QUEUE_SEQ.
 * Relied on by: save. A queue's first sequence number is this minus the queue's length. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

static void body(int family) {
    uint32_t send_before, send_after, receive_before, receive_after, receive_read;
    struct connection connection;

    hosts_up();
    connection = connect_hosts(family);
    repair(connection.a, TCP_REPAIR_ON);
    send_before = queue_seq(connection.a, TCP_SEND_QUEUE);
    repair(connection.a, TCP_REPAIR_OFF_NO_WP);
    repair(connection.b, TCP_REPAIR_ON);
    receive_before = queue_seq(connection.b, TCP_RECV_QUEUE);
    repair(connection.b, TCP_REPAIR_OFF_NO_WP);
    expect(send_before == receive_before, "the two ends of an idle connection differ: %u, %u", send_before,
           receive_before);

    send_pattern(connection.a, 0, 1000);
    wait_acknowledged(connection.a);
    lock(connection.b);
    send_pattern(connection.a, 1000, 500);
    repair(connection.a, TCP_REPAIR_ON);
    send_after = queue_seq(connection.a, TCP_SEND_QUEUE) - send_before;
    expect(send_after == 1500, "send queue: %u past the start, not 1500, with 500 bytes queued", send_after);
    repair(connection.b, TCP_REPAIR_ON);
    receive_after = queue_seq(connection.b, TCP_RECV_QUEUE) - receive_before;
    repair(connection.b, TCP_REPAIR_OFF_NO_WP);
    expect(receive_pattern(connection.b, 0, 1000) == 1000, "the bytes did not come");
    repair(connection.b, TCP_REPAIR_ON);
    receive_read = queue_seq(connection.b, TCP_RECV_QUEUE) - receive_before;
    expect(receive_after == 1000 && receive_read == 1000, "receive queue: %u past the start unread, %u read, not 1000",
           receive_after, receive_read);
    holds("it counts what is queued in the send queue, and what is unread in the receive queue");
}

int main(void) { return check_families(body); }
