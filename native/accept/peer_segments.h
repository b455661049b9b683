/*
 * Segments as a connection's other end would send them, given to this host's TCP through its loopback device: a raw
 * socket that may use any source address. They never leave the host. TCP takes them for what comes in on the device of
 * the address that they go to (inet_iif); no reverse path filter sees them.
 */
#pragma once

#include "socket/address.h"

#include <stdbool.h>
#include <stdint.h>

struct peer_segments {
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
int peer_segments_open(struct peer_segments *segments, const union socket_address *local,
                       const union socket_address *remote, int priority);

/** Sends one. Mostly TCP has taken it when this returns, but nothing says so: the caller sees what became of it. 0 or
 * -errno. */
int peer_segments_send(const struct peer_segments *segments, const struct peer_segment *segment);

void peer_segments_close(struct peer_segments *segments);
