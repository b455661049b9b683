/*
 * Choosing the sequence number with which a listening socket will answer a SYN.
 *
 * A SYN from the other end of a connection in TIME_WAIT opens it again, and the kernel answers with a number that lies
 * a fixed distance after the last one it used (tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c, RFC 1122
 * 4.2.2.13). So a connection is put into TIME_WAIT first, with numbers of our choice: TCP_REPAIR makes it, its FIN is
 * sent in repair, that is, not at all, and the other end's FIN comes from us. The answer to that is hushed by a gate
 * (accept/gate.h), which must be shut.
 */
#pragma once

#include "accept/peer_segments.h"

#include <stdint.h>

/**
 * Leaves TIME_WAIT between these addresses such that a SYN with `peer_isn` is answered with `isn`. Nobody may have the
 * connection. *segment_size is what this host fills its segments with on that route, TCP options not counted.
 * 0 or -errno: EADDRNOTAVAIL where the connection exists, ETIMEDOUT where the FIN did not arrive.
 */
int time_wait_make(const union socket_address *local, const union socket_address *remote,
                   const struct peer_segments *segments, uint32_t isn, uint32_t peer_isn, uint32_t *segment_size);
