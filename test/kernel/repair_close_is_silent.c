/* close() of a socket in repair mode sends nothing and leaves nothing, whatever is unread or unsent in it.
 *
 * Source: __tcp_close() in net/ipv4/tcp.c: tcp_disconnect() instead of FIN or RST where tp->repair.
 * Relied on by: the end of a migration on the source, and every undo on the target. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

#include <unistd.h>

static void body(int family) {
    struct connection connection, other;
    struct segment segment;
    union address address;
    int tap, again;

    hosts_up();
    connection = connect_hosts(family);
    other = connect_hosts(family);
    enter(B);
    tap = tap_open();
    send_pattern(connection.a, 0, 1000);
    wait_acknowledged(connection.a); /* unread: close() would send a RST */
    lock(connection.a);
    send_pattern(connection.b, 0, 500); /* unacknowledged: close() would go on sending it */
    lock(connection.b);
    repair(connection.b, TCP_REPAIR_ON);
    address = local_of(connection.b);
    tap_count(tap, true);
    close(connection.b);
    expect(!tap_next(tap, true, 500, &segment), "a segment with flags 0x%x was sent", segment.flags);
    again = need(socket(family, SOCK_STREAM, 0));
    need(bind(again, &address.any, address_size(&address))); /* no TIME_WAIT, no orphan */

    tap_count(tap, true);
    close(other.b);
    expect(tap_next(tap, true, 1000, &segment) && segment.flags & FIN,
           "an ordinary close() sends no FIN: it proves nothing");
    holds("nothing within 0.5 s, and its port was free; an ordinary close() sent its FIN");
}

int main(void) { return check_families(body); }
