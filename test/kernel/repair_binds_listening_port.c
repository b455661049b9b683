/* In repair mode bind() takes a port that a listener and other connections have.
 *
 * Source: TCP_REPAIR sets sk_reuse = SK_FORCE_REUSE (do_tcp_setsockopt() in net/ipv4/tcp.c), which
 * inet_csk_get_port() in net/ipv4/inet_connection_sock.c lets pass.
 * Relied on by: revive of an accepted connection, whose local port is its listener's. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static void body(int family) {
    int listener, first_a, first_b, second_a, second_b, other;
    static struct saved saved;
    union address address;

    hosts_up();
    listener = listen_on_b(family);
    address = local_of(listener);
    first_a = need(socket(family, SOCK_STREAM, 0));
    need(connect(first_a, &address.any, address_size(&address)));
    first_b = need(accept(listener, NULL, NULL));
    second_a = need(socket(family, SOCK_STREAM, 0));
    need(connect(second_a, &address.any, address_size(&address)));
    second_b = need(accept(listener, NULL, NULL));

    enter(B);
    other = need(socket(family, SOCK_STREAM, 0));
    expect(bind(other, &address.any, address_size(&address)) < 0 && errno == EADDRINUSE,
           "bind() of a listener's port outside repair mode: %s", strerror(errno));
    lock(first_b);
    save(first_b, &saved);
    close(first_b); /* in repair mode: silent */
    revive(other, &saved);
    send_pattern(first_a, 0, 1000);
    send_pattern(second_a, 0, 500);
    expect(receive_pattern(other, 0, 1000) == 1000, "the revived connection does not receive");
    expect(receive_pattern(second_b, 0, 500) == 500, "the other connection of the port was hurt");
    need(connect(need(socket(family, SOCK_STREAM, 0)), &address.any, address_size(&address)));
    expect(readable(listener, 30000), "the listener was hurt");
    holds("EADDRINUSE outside repair mode; in it the port was bound, listener and other connection went on");
}

int main(void) { return check_families(body); }
