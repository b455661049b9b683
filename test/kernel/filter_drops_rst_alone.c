/* A socket filter sees the segment from its TCP header on, so it can drop RSTs alone and let all else pass.
 *
 * Source: tcp_filter() in net/ipv4/tcp_ipv4.c runs sk_filter_trim_cap() with skb->data at the TCP header.
 * Relied on by: resume. A target that waits behind a full lock drops the first bytes that a peer sends after its rebind, and
 * they come again a second later (repaired_sent_waits_for_rto.c); behind this filter it takes them, and still no RST. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

#include <linux/filter.h>

static void body(int family) {
    struct sock_filter no_rst[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, RST, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
    };
    struct sock_fprog filter = {.len = 4, .filter = no_rst};
    struct segment rst = {.flags = RST}, seen;
    struct connection connection;
    union address from, to;
    int tap;

    hosts_up();
    connection = connect_hosts(family);
    need(setsockopt(connection.b, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)));
    enter(B);
    tap = tap_open();
    enter(A);
    from = local_of(connection.a);
    to = remote_of(connection.a);
    repair(connection.a, TCP_REPAIR_ON);
    rst.seq = queue_seq(connection.a, TCP_SEND_QUEUE);
    repair(connection.a, TCP_REPAIR_OFF_NO_WP);
    inject(&from, &to, &rst, NULL, 0);
    expect(tap_next(tap, false, 1000, &seen) && seen.flags == RST, "the RST did not arrive");
    send_pattern(connection.a, 0, 1000);
    expect(receive_pattern(connection.b, 0, 1000) == 1000, "the RST was seen, or the data was not");
    holds("the RST was dropped, the data behind it received");
}

int main(void) { return check_families(body); }
