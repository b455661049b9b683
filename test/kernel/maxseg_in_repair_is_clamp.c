/* TCP_MAXSEG read in repair mode is the MSS that the other end named; read outside, the size in use now.
 *
 * Source: do_tcp_getsockopt() in net/ipv4/tcp.c, case TCP_MAXSEG: rx_opt.mss_clamp instead of mss_cache.
 * Relied on by: save, which gives it to TCP_REPAIR_OPTIONS. mss_cache has the options' size taken off already:
 * reviving with it would shrink segments at each migration. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

static void body(int family) {
    const int header = family == AF_INET ? 40 : 60, timestamps = 12;
    struct connection connection;
    int in_use, clamp;

    hosts_up();
    connection = connect_hosts(family);
    in_use = get_option(connection.a, IPPROTO_TCP, TCP_MAXSEG);
    repair(connection.a, TCP_REPAIR_ON);
    clamp = get_option(connection.a, IPPROTO_TCP, TCP_MAXSEG);
    expect(clamp == 1500 - header && in_use == clamp - timestamps, "%d in repair mode, %d outside, on a link of 1500",
           clamp, in_use);
    holds("%d in repair mode, %d outside (timestamps take 12)", clamp, in_use);
}

int main(void) { return check_families(body); }
