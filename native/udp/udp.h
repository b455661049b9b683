/*
 * A UDP socket taken to another host: what it has that neither CRIU nor socket/options.h carries. That is its
 * addresses, which change; what names an interface of the host; multicast groups; and its queue.
 *
 * Order of calls
 *
 *   at the source    udp_await_sent, then udp_save, while its program stands still
 *   at the target    udp_revive on the sockets that CRIU made, unbound, and that have their options
 *   at a peer        udp_reconnect, while its program runs
 *
 * Saving changes nothing: the queue is peeked at, and what comes later stays in it, for the case that the program
 * stays.
 *
 * Who owns what: descriptors are the caller's. A struct udp_saved is the caller's too; udp_save puts malloc'd memory
 * into it, and udp_saved_clear frees that. udp_revive only reads it.
 *
 * A datagram comes into the revived socket's queue as datagrams do: the socket is connected to where it came from, and
 * a packet with that source is sent to it over the loopback interface. Until all are there a filter lets nothing in
 * from outside. One that does not come through (a firewall, no route to its source) is lost, as datagrams are, and
 * counted.
 *
 * Not carried over, and lost as the network may lose it: ICMP errors that wait to be told of, and the error queue
 * (IP_RECVERR, transmit timestamps). Not visible to anybody but the socket, and so not carried: an interface for
 * multicast that was set by its index alone on an AF_INET socket (IP_MULTICAST_IF); IPV6_MTU; flow label leases;
 * anycast groups.
 *
 * All functions return 0 or -errno and need CAP_NET_ADMIN and CAP_NET_RAW.
 */
#pragma once

#include "socket/socket.h"
#include "udp/interfaces.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct udp_datagram {
    union socket_address source;
    union socket_address destination; /* without its port */
    uint8_t hop_limit, traffic_class; /* IPv4: TTL, TOS */
    uint32_t length;
    uint8_t *bytes; /* malloc'd; NULL where empty */
};

struct udp_saved {
    int family;
    union socket_address local, remote; /* port 0: not bound, not connected */
    struct in_addr multicast_interface; /* IP_MULTICAST_IF: one of the host's addresses, or 0 */
    struct udp_interface interfaces[UDP_INTERFACES_MAX];
    size_t interface_count;
    struct udp_membership *memberships;
    struct udp_datagram *datagrams; /* the first one first */
    size_t membership_count, datagram_count;
};

/** Fills `saved`, whose members the caller clears after success; it is empty after a failure. */
int udp_save(const int *fds, size_t count, struct udp_saved *saved, struct failure *failure);

/** Frees what it points to. */
void udp_saved_clear(struct udp_saved *saved);

struct udp_revival {
    int fd; /* unbound */
    const struct udp_saved *saved;
    union socket_address local;  /* to bind to; port 0: not bound */
    union socket_address remote; /* port 0: not connected */
    size_t lost;                 /* out: datagrams that are not in its queue */
};

/**
 * Revives all of a program's sockets at once, for they may share ports. After a failure they are only good to be
 * closed.
 */
int udp_revive(struct udp_revival *revivals, size_t count, struct failure *failure);

/**
 * Waits until the kernel has nothing of these sockets left to send, which takes as long as the network device is busy.
 * Returns 1 when that is so; or 0, and fds[*index] is a socket that has: it sends a datagram in parts (MSG_MORE), and
 * keeps the first.
 */
int udp_await_sent(const int *fds, size_t count, int timeout_ms, size_t *index);

/**
 * Connects a connected socket to another address. Its threads may be in calls on it: none wakes, and the queue stays.
 */
int udp_reconnect(int fd, const union socket_address *remote);
