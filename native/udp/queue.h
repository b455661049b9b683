/* The datagrams in the queue of a UDP socket (udp/udp.h says how they get there). All return 0 or -errno. */
#pragma once

#include "udp/udp.h"

/**
 * Reads them into `saved`, whose family is set; they stay in the queue. After a failure, too, what was read is there.
 */
int udp_queue_read(int fd, struct udp_saved *saved);

/**
 * Puts them into a socket that is not connected, and is bound or not; it is so again afterwards. It must let in what
 * comes over the loopback interface (socket_lock_local), and be bound to no interface. `lost` counts those that did not
 * come through.
 */
int udp_queue_fill(int fd, const struct udp_saved *saved, size_t *lost);

/**
 * Waits until `is_so` gives 1; it gives 0 where it is not so yet, or -errno. It is asked again at each of these events
 * (EPOLL*) of the socket, and the last time when none has come for so long. Returns what it gave last.
 */
int udp_await(int fd, uint32_t events, int timeout_ms, int (*is_so)(int fd, const void *context), const void *context);
