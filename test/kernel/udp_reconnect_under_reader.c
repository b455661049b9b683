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

static int receive_one(void *argument)
{
	union address moved = address_of(family, 3, 5000);

	(void)argument;
	return !udp_expect(peer, &moved, "from the new", 30000);
}

static int receive_blocked(void *argument)
{
	char text[64];

	(void)argument;
	return recv(peer, text, sizeof(text), 0) != 12;
}

static void body(int of_family)
{
	union address old = address_of(of_family, 2, 5000), new = address_of(of_family, 3, 5000), local, again;
	int from_old, from_new;
	pid_t in_recv, in_poll;

	family = of_family;
	hosts_up();
	enter(B);
	from_old = udp_bound(&old);
	from_new = udp_bound(&new);
	enter(A);
	peer = need(socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	udp_connect(peer, &old);
	local = local_of(peer);
	udp_send(from_old, &local, "from the old");
	udp_send(from_new, &local, "too early");
	udp_connect(peer, &new);
	again = local_of(peer);
	expect(same_address(&local, &again), "its local address has changed");
	udp_send(from_old, &local, "too late");
	expect(udp_expect(peer, &old, "from the old", 1000), "what was in the queue is gone");
	expect(!readable(peer, 100), "it takes from others than its remote");

	udp_connect(peer, &old);
	in_recv = start(receive_blocked, NULL);
	in_poll = start(receive_one, NULL);
	wait_sleeping_in(in_recv, SYS_recvfrom);
	wait_sleeping_in(in_poll, SYS_poll);
	udp_connect(peer, &new);
	expect(!ends_within(in_recv, 100) && !ends_within(in_poll, 0), "a blocked call has returned");
	udp_send(from_new, &local, "from the new");
	expect(finish(in_recv) == 0, "recv saw something else");
	udp_send(from_new, &local, "from the new");
	expect(finish(in_poll) == 0, "poll and recvfrom saw something else");
	holds("port, queue, recv and poll");
}

int main(void)
{
	return check_families(body);
}
