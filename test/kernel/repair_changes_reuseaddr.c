/* TCP_REPAIR on and off leaves SO_REUSEADDR off, whatever it was.
 *
 * Source: do_tcp_setsockopt() in net/ipv4/tcp.c: sk_reuse = SK_FORCE_REUSE (2), then SK_NO_REUSE (0).
 * Relied on by: save reads SO_REUSEADDR before repair mode, revive sets it after. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

static void body(void) {
    struct connection connection;
    int during, after;

    hosts_up();
    connection = connect_hosts(AF_INET);
    set_option(connection.b, SOL_SOCKET, SO_REUSEADDR, 1);
    repair(connection.b, TCP_REPAIR_ON);
    during = get_option(connection.b, SOL_SOCKET, SO_REUSEADDR);
    repair(connection.b, TCP_REPAIR_OFF);
    after = get_option(connection.b, SOL_SOCKET, SO_REUSEADDR);
    expect(during == 2 && after == 0, "1 before, %d in repair mode, %d after", during, after);
    holds("1 before, 2 in repair mode, 0 after");
}

int main(void) { return check(body); }
