/* The bytes of an in-band message: one TCP segment on a connection's own four addresses, which carries TCP option
 * kind 253 (RFC 4727, experimental) with ExID "MGSK" (RFC 6994) first in its header. Pure functions, no system call.
 *
 * Sequence, acknowledgement and window: why the receiving TCP takes nothing from such a segment.
 *
 * tcp_sequence() in net/ipv4/tcp_input.c refuses a segment whose end is before rcv_wup (the receiver's rcv_nxt
 * at its latest ACK) before anything else of it is looked at: neither ack nor window nor body is processed; the
 * answer is one duplicate ACK. What the sender has as snd_una is an ACK of the receiver's, so it is never after
 * rcv_wup: a segment that ends one before the sender's snd_una is refused so in every state. Take
 *
 *     seq = snd_una - 1 - body_length        ack = rcv_nxt
 *
 * A segment that ends later, up to snd_nxt, is dropped as old data too, but only after tcp_ack() has seen it. That
 * takes the window from a segment with a sequence number after snd_wl1 (tcp_may_update_window; measured on Linux
 * 6.18 with seq = snd_nxt - body_length after the sender's own last data): a window of zero would stop the
 * receiver's sending until our kernel's next segment. So the window here is the greatest one: where it is taken, the
 * worst is data sent beyond our buffer, which our kernel answers at once with its true window. A connection tracker
 * on the way, too, only becomes more lenient by it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "socket/address.h"

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
    /* Of the first body byte; host order, as ack. */
    uint32_t seq, ack;
    /* The option's content after the ExID. Not copied: points into the packet after inband_parse(). */
    const uint8_t *option;
    size_t option_length;
    const uint8_t *body;
    size_t body_length;
};

/** Reads a packet as a raw socket gives it: from its IP header on for AF_INET; from its TCP header on for AF_INET6,
 * where the caller has put both addresses (with family) into *segment before. Every length is checked
 * against `length`, and the TCP checksum too: a raw socket gets segments before TCP checks them.
 * 0, or -EBADMSG: it is not, or not wholly, one of ours. */
int inband_parse(int family, const uint8_t *packet, size_t length, struct inband_segment *segment);

/** Writes TCP header and body, without IP header, checksum included; flag ACK alone. The number of bytes, or -EINVAL
 * (addresses of two families, option too long) or -EMSGSIZE (body too long, or more than `capacity`). */
int inband_build(const struct inband_segment *segment, uint8_t *out, size_t capacity);
