/* A datagram with any source, written to a raw socket for a local address, reaches the socket that is connected to that source.
 *
 * Source: loopback_xmit() in drivers/net/loopback.c keeps the route that the sender looked up, so ip_rcv_finish_core() looks up
 * none and checks no source (rp_filter, martians); compute_score() in net/ipv4/udp.c and net/ipv6/udp.c prefers the connected
 * socket, and __udp_disconnect() leaves what was received, and what bind() gave, when it is taken apart again.
 * Relied on by: datagrams that moved with their socket, which come into the queue of the new one from where they came. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/udp.h"

#include <fcntl.h>
#include <unistd.h>

static void check_sources(const char *name) {
    int fd = need(open(name, O_WRONLY | O_CLOEXEC));

    need(write(fd, "1", 1));
    close(fd);
}

static union address any_of(int family, uint16_t port) {
    union address any = address_of(family, 2, port);

    if (family == AF_INET)
        any.v4.sin_addr.s_addr = htonl(INADDR_ANY);
    else
        any.v6.sin6_addr = in6addr_any;
    return any;
}

static void put(int fd, int family, int neighbour) {
    union address from = address_of(family, neighbour, 4000), before = local_of(fd), local;

    udp_connect(fd, &from);
    local = local_of(fd);
    udp_inject(&from, &local, "carried", 7, 0);
    /* Mostly the sender's own processor has delivered it by now; a busy one leaves that to ksoftirqd. */
    expect(readable(fd, 30000), "it did not come");
    udp_connect(fd, NULL);
    local = local_of(fd);
    expect(same_address(&before, &local), "the address is not what it was before");
    expect(udp_expect(fd, &from, "carried", 30000), "it did not come, or from elsewhere");
}

static void body(int family) {
    union address local;
    int on = 1, rest, one, group[2];

    hosts_up();
    enter(B);
    check_sources("/proc/sys/net/ipv4/conf/all/rp_filter");
    check_sources("/proc/sys/net/ipv4/conf/lo/rp_filter");
    local = any_of(family, 5000);
    rest = udp_bound(&local);
    put(rest, family, 1);
    local = address_of(family, 2, 5001);
    one = udp_bound(&local);
    put(one, family, 1);
    for (int i = 0; i < 2; i++) {
        local = any_of(family, 5002);
        group[i] = need(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        need(setsockopt(group[i], SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)));
        need(bind(group[i], &local.any, address_size(&local)));
    }
    for (int i = 0; i < 20; i++) put(group[i % 2], family, 1);
    holds("into sockets bound to any and to one address, and into each of a SO_REUSEPORT group");
}

int main(void) { return check_families(body); }
