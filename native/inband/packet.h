/*
 * The bytes of an in-band message, on a TCP connection and on a UDP conversation. Pure functions, no system call.
 *
 * On a connection it is one TCP segment on the connection's own four addresses, which carries TCP option kind 253 (RFC
 * 4727, experimental) with ExID "MGSK" (RFC 6994) first in its header. The receiving TCP takes nothing from it, for its
 * numbers are
 *
 *     seq = snd_una - 1 - body_length        ack = rcv_nxt        window = the greatest
 *
 * tcp_sequence() in net/ipv4/tcp_input.c refuses a segment whose end is before rcv_wup (the receiver's rcv_nxt at its
 * latest ACK) before anything else of it is looked at: neither ack nor window nor body is processed; the answer is one
 * duplicate ACK. The sender's snd_una came in an ACK of the receiver's, so it is never after rcv_wup: a segment that
 * ends one before snd_una is refused so in every state.
 *
 * A segment that ends later, up to snd_nxt, is dropped as old data too, but only after tcp_ack() has seen it. That
 * takes the window from a segment with a sequence number after snd_wl1 (tcp_may_update_window; measured on Linux 6.18
 * with seq = snd_nxt - body_length after the sender's own last data): a window of zero would stop the receiver's
 * sending until our kernel's next segment. With the greatest one the worst is data sent beyond our buffer, which our
 * kernel answers at once with its true window. A connection tracker on the way, too, only becomes more lenient by it.
 *
 * In a conversation it is one datagram on the conversation's addresses:
 *
 *     UDP header, whose length field claims one byte more than there are
 *     "MGSK", length of the option part (one byte), option part, body
 *
 * A datagram that claims to be longer than it is is dropped by every kernel before it looks for a socket, so no program
 * sees it, none that waits is woken, and nothing answers it (test/kernel/udp_overlong_reaches_raw.c). It takes the path
 * of the conversation itself. Where a packet filter on the way drops what its connection tracking calls invalid, it
 * does not arrive, and the other end counts as one without an agent.
 */
#pragma once

#include "socket/address.h"

#include <stddef.h>
#include <stdint.h>

enum {
    INBAND_KIND = 253,
    INBAND_EXID = 0x4d47534b,
    /* Kind, length, ExID; a TCP header has 40 bytes for options. */
    INBAND_OPTION_HEAD = 6,
    INBAND_OPTION_MAX = 40 - INBAND_OPTION_HEAD,
    /* The greatest IPv4 packet less IPv4 and TCP headers with all options. */
    INBAND_BODY_MAX = 65535 - 60 - 60,
};

struct inband_segment {
    union socket_address source, destination;
    uint32_t seq, ack; /* seq is of the first body byte; both in host order; 0 on UDP */
    /* The option's content after the ExID. Not copied: points into the packet after inband_parse(). */
    const uint8_t *option;
    size_t option_length;
    const uint8_t *body;
    size_t body_length;
};

/**
 * Reads a packet as a raw socket gives it: from its IP header on for AF_INET; from its TCP or UDP header on for
 * AF_INET6, where the caller has put both addresses (with family) into *segment before. Every length is checked against
 * `length`, and the checksum too: a raw socket gets packets before TCP and UDP check them. 0, or -EBADMSG: it is not,
 * or not wholly, one of ours.
 */
int inband_parse(int family, const uint8_t *packet, size_t length, struct inband_segment *segment);
int inband_parse_datagram(int family, const uint8_t *packet, size_t length, struct inband_segment *segment);

/**
 * Writes what follows the IP header, checksum included; the TCP header has flag ACK alone. Returns the number of bytes,
 * or -EINVAL (addresses of two families, option too long) or -EMSGSIZE (body too long, or more than `capacity`).
 */
int inband_build(const struct inband_segment *segment, uint8_t *out, size_t capacity);
int inband_build_datagram(const struct inband_segment *segment, uint8_t *out, size_t capacity);
