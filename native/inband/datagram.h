/* The bytes of an in-band message on the addresses of a UDP conversation. Pure functions, no system call.
 *
 *   UDP header, whose length field claims one byte more than there are
 *   "MGSK", length of the option part (one byte), option part, body
 *
 * A datagram that claims to be longer than it is is dropped by every kernel before it looks for a socket, so no program
 * sees it, none that waits is woken, and nothing answers it (test/kernel/udp_overlong_reaches_raw.c). It takes the path of
 * the conversation itself. Where a packet filter on the way drops what its connection tracking calls invalid, it does not
 * arrive, and the other end counts as one without an agent. */
#pragma once

#include "inband/packet.h"

/** As inband_parse(): a raw socket's packet, from its IP header on for AF_INET, from its UDP header on for AF_INET6.
 * seq and ack are 0. 0 or -EBADMSG. */
int inband_parse_datagram(int family, const uint8_t *packet, size_t length, struct inband_segment *segment);

/** As inband_build(): UDP header and what follows, checksum included. */
int inband_build_datagram(const struct inband_segment *segment, uint8_t *out, size_t capacity);
