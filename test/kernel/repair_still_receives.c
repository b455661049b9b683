/* A socket in TCP_REPAIR still receives and acknowledges.
 *
 * Source: tcp_rcv_established() in net/ipv4/tcp_input.c never looks at tp->repair.
 * Relied on by: lock before save. Reading the state first and stopping traffic later would lose
 * what the kernel acknowledges in between. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

static void body(int family) {
    struct connection connection;
    uint32_t before, after;

    hosts_up();
    connection = connect_hosts(family);
    repair(connection.b, TCP_REPAIR_ON);
    before = queue_seq(connection.b, TCP_RECV_QUEUE);
    send_pattern(connection.a, 0, 1000);
    wait_acknowledged(connection.a);
    after = queue_seq(connection.b, TCP_RECV_QUEUE);
    expect(after - before == 1000, "rcv_nxt grew by %u in repair mode after 1000 acknowledged bytes", after - before);
    holds("in repair mode 1000 bytes were received and acknowledged");
}

int main(void) { return check_families(body); }
