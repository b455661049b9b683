/*
 * The other end of a connection, played to this host's TCP.
 *
 * Its segments are given to TCP through the loopback device, by a raw socket that may use any source address, and never
 * leave the host. TCP takes them for what comes in on the device of the address that they go to (inet_iif); no reverse
 * path filter sees them.
 *
 * TIME_WAIT is how the number is chosen with which a listening socket answers a SYN. A SYN from the other end of a
 * connection in TIME_WAIT opens it again, and the kernel answers with a number that lies a fixed distance after the
 * last one it used (tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c, RFC 1122 4.2.2.13). So a connection is
 * put into TIME_WAIT first, with numbers of our choice: TCP_REPAIR makes it, its FIN is sent in repair, that is, not at
 * all, and the other end's FIN comes from us. The answer to that is hushed by a gate (accept/gate.h), which must be
 * shut.
 */
#pragma once

#include "socket/address.h"

#include <stdbool.h>
#include <stdint.h>

struct peer {
    int fd;
    union socket_address from, to; /* no mapped address */
};

/* One segment. `options` is what stands behind the header, a multiple of 4 bytes. */
struct peer_segment {
    uint32_t seq, ack;
    uint8_t flags; /* TH_* of netinet/tcp.h */
    uint16_t window;
    const uint8_t *options;
    size_t options_length;
    const uint8_t *body;
    size_t body_length; /* at most PEER_BODY_MAX */
};

/* This is well within an IPv4 packet and the loopback's MTU. */
enum { PEER_BODY_MAX = 32768 };

/**
 * Opens a way for segments from `remote` to `local`, which is an address of this host; mapped addresses are sent as
 * IPv4. The packets have this SO_PRIORITY. The caller closes. 0 or -errno: EPERM without CAP_NET_RAW and CAP_NET_ADMIN.
 */
int peer_open(struct peer *peer, const union socket_address *local, const union socket_address *remote, int priority);

/** Sends one. Mostly TCP has taken it when this returns, but nothing says so: the caller sees what became of it. 0 or
 * -errno. */
int peer_send(const struct peer *peer, const struct peer_segment *segment);

void peer_close(struct peer *peer);

/**
 * Leaves TIME_WAIT between these addresses such that a SYN with `peer_isn` is answered with `isn`. Nobody may have the
 * connection. *segment_size is what this host fills its segments with on that route, TCP options not counted.
 * 0 or -errno: EADDRNOTAVAIL where the connection exists, ETIMEDOUT where the FIN did not arrive.
 */
int peer_time_wait(const union socket_address *local, const union socket_address *remote, const struct peer *peer,
                   uint32_t isn, uint32_t peer_isn, uint32_t *segment_size);
