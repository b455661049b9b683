/* Segments in acknowledged space with migrun's option, kind 253 (RFC 6994), first in the header. */
#ifndef MIGRUN_TEST_KERNEL_IN_BAND_H
#define MIGRUN_TEST_KERNEL_IN_BAND_H

#include "tap.h"

/* Sends one from the near end's host, which is entered, to the other end: `body` bytes which end `below` the end of what was
 * sent. Returns what was sent. */
struct segment in_band_send(int near, uint32_t below, size_t body);

/* A raw TCP socket of the host that is entered, which gets segments with that option only. */
int in_band_open(int family);

/* Waits at most the given time for one. Returns whether its option is there and its source port is that. */
bool in_band_next(int raw, int family, uint16_t source, int milliseconds);

#endif
