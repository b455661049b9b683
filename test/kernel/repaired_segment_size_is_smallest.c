/* A connection repaired without TCP_MAXSEG sends the smallest segments (536, IPv6 1220); set before connect, full ones.
 *
 * Source: tcp_connect_init() in net/ipv4/tcp_output.c syncs mss_cache to rx_opt.mss_clamp, which is the family's least then;
 * TCP_REPAIR_OPTIONS sets mss_clamp later and syncs nothing. tcp_disconnect() clears TCP_MAXSEG: rx_opt.user_mss.
 * Relied on by: revive sets TCP_MAXSEG between connect(AF_UNSPEC) and connect. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

static int segment_size(int family, bool set) {
    struct connection connection = connect_hosts(family);
    static struct saved saved;

    enter(B);
    lock(connection.b);
    save(connection.b, &saved);
    if (!set) saved.connect_mss = 0;
    revive(connection.b, &saved);
    return get_option(connection.b, IPPROTO_TCP, TCP_MAXSEG);
}

static void body(int family) {
    const int full = family == AF_INET ? 1460 : 1440, least = family == AF_INET ? 536 : 1220;
    int plain, set;

    hosts_up();
    plain = segment_size(family, false);
    set = segment_size(family, true);
    expect(set > full - 40 && set <= full, "%d with TCP_MAXSEG %d", set, full);
    expect(plain <= least, "%d without TCP_MAXSEG", plain);
    holds("%d without TCP_MAXSEG, %d with it", plain, set);
}

int main(void) { return check_families(body); }
