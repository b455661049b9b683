/* connect() to another address on a connected UDP socket keeps its port, its queue, and whoever is blocked in recv or poll.
 *
 * Source: __ip4_datagram_connect() in net/ipv4/datagram.c and __ip6_datagram_connect() in net/ipv6/datagram.c put the new remote
 * in and wake nobody; __skb_recv_udp() in net/ipv4/udp.c looks at no address.
 * Relied on by: the peers of a UDP socket that moved: their agent connects them again, while their programs run. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"
#include "harness/udp.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

static int family, peer;

static int receive_polled(void *argument) {
    union address moved = address_of(family, 3, 5000);

    (void)argument;
    return !udp_expect(peer, &moved, "from the new", 30000);
}

static int receive_blocked(void *argument) {
    char text[64];

    (void)argument;
    return recv(peer, text, sizeof(text), 0) != 12;
}

/* The remote changes from the old to the new one while a process is blocked in this call. */
static void follow(int (*reader)(void *), long call, int from_new, const char *name) {
    union address old = address_of(family, 2, 5000), new = address_of(family, 3, 5000), local;
    pid_t pid;

    udp_connect(peer, &old);
    local = local_of(peer);
    pid = start(reader, NULL);
    wait_sleeping_in(pid, call);
    udp_connect(peer, &new);
    expect(!ends_within(pid, 100), "%s has returned", name);
    udp_send(from_new, &local, "from the new");
    expect(finish(pid) == 0, "%s saw something else", name);
}

static void body(int of_family) {
    union address old = address_of(of_family, 2, 5000), new = address_of(of_family, 3, 5000), local, again;
    int from_old, from_new;

    family = of_family;
    hosts_up();
    enter(B);
    from_old = udp_bound(&old);
    from_new = udp_bound(&new);
    enter(A);
    peer = need(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    udp_connect(peer, &old);
    local = local_of(peer);
    udp_send(from_new, &local, "too early");
    udp_send(from_old, &local, "from the old");
    /* A busy processor leaves both to ksoftirqd, in their order. */
    expect(readable(peer, 30000), "what is from the old did not come");
    udp_connect(peer, &new);
    again = local_of(peer);
    expect(same_address(&local, &again), "its local address has changed");
    udp_send(from_old, &local, "too late");
    expect(udp_expect(peer, &old, "from the old", 30000), "what was in the queue is gone");
    expect(!readable(peer, 100), "it takes from others than its remote");

    follow(receive_blocked, SYS_recvfrom, from_new, "recv");
    follow(receive_polled, SYS_poll, from_new, "poll");
    holds("port, queue, recv and poll");
}

int main(void) { return check_families(body); }
