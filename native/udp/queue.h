/* Putting datagrams into the queue of a UDP socket, as from where they came: udp_state.h says how. */
#pragma once

#include "udp/udp.h"

/**
 * The socket must not be connected, and may be bound or not; it is so again afterwards. It must let in what comes over the
 * loopback interface (socket_lock_local), and be bound to no interface. `lost` counts those that did not come through.
 * 0 or -errno.
 */
int udp_queue_fill(int fd, const struct udp_saved *saved, size_t *lost);
