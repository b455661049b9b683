/* What of a UDP socket decides whether it can move, besides socket_obstacles.h. All return 0 or -errno. */
#pragma once

#include <net/if.h>
#include <stddef.h>

/** The interfaces that its options and multicast groups name; not what it is bound to. *names is the caller's to free(3). */
int udp_interfaces_named(int fd, char (**names)[IF_NAMESIZE], size_t *count);

/**
 * Waits until the kernel has nothing of these sockets left to send, which takes as long as the network device is busy.
 * 1: so it is. 0: it is not, and sockets[*index] is one that has: it sends a datagram in parts (MSG_MORE) and holds the first.
 */
int udp_await_sent(const int *fds, size_t count, int timeout_ms, size_t *index);
