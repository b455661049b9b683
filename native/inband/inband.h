/*
 * The in-band endpoint of a host: one raw socket of each family and protocol (IPPROTO_TCP, IPPROTO_UDP), which sees
 * nothing but in-band messages.
 *
 * What arrives is copied to a raw socket before TCP or UDP looks at it (ip_local_deliver_finish), so it makes no
 * difference whether a socket for its addresses exists, is locked or is in repair. The filter runs in the kernel: other
 * packets cost a clone of their header and at most eight instructions.
 *
 * The network namespace is the one of the process at inband_open(). Needs CAP_NET_RAW.
 */
#pragma once

#include "inband/packet.h"

/* What inband_receive() needs as a buffer. */
enum { INBAND_PACKET_MAX = 65535 };

/**
 * Opens the socket of AF_INET or AF_INET6, non-blocking, close-on-exec. Returns it or -errno. A packet that comes
 * between socket(2) and the filter may be any of the protocol: inband_receive() passes over it.
 */
int inband_open(int family, int protocol);

/**
 * Sends one segment from segment->source, which must be an address of this host (else -EINVAL or -ENETUNREACH), but of
 * no socket; inband/packet.h has the numbers that seq and ack must have. An IPv4-mapped address is refused with
 * -EAFNOSUPPORT: such a connection's packets are IPv4, so are its messages. 0 or -errno; -EAGAIN where the send buffer
 * is full.
 */
int inband_send(int fd, int protocol, const struct inband_segment *segment);

/**
 * Takes one packet. Returns 1 where it is ours: *segment is filled in, and points into buffer. 0: it was none of ours,
 * or an error that the network reported. -EAGAIN: nothing more is here.
 */
int inband_receive(int fd, int family, int protocol, uint8_t *buffer, struct inband_segment *segment);
