/* What crosses a host's link: its TCP segments, in order, through a packet socket.
 * A segment that a call sends at once is in the tap when the call returns (veth has no queue). */
#ifndef MIGRUN_TEST_KERNEL_TAP_H
#define MIGRUN_TEST_KERNEL_TAP_H

#include "hosts.h"

#include <stdbool.h>

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10 };

struct segment {
    bool out; /* sent by the tapped host */
    uint16_t source, destination;
    uint32_t seq, ack;
    uint8_t flags; /* FIN to ACK */
    size_t body;
};

/* Taps the link of the host that is entered, not its loopback. */
int tap_open(void);

/* Waits at most the given time for a TCP segment that goes out of (or comes into) the tapped host.
 * Returns false where none came. */
bool tap_next(int tap, bool out, int milliseconds, struct segment *segment);

/* Counts the segments of that direction that are in the tap, and takes them out. */
int tap_count(int tap, bool out);

/* Sends a TCP segment from the host that is entered, through a raw socket, with sum and all. `options` has a
 * multiple of four bytes, at most 40. Addresses carry the ports; `from` may be another host's. Its packet has the
 * priority INJECTED. */
enum { INJECTED = 4711 };
void inject(const union address *from, const union address *to, const struct segment *segment, const uint8_t *options,
            size_t options_size);

#endif
