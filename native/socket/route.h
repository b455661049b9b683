/* Which of this host's addresses a packet would come from. */
#pragma once

#include "socket/address.h"

/** Fills in the source address (port 0) that a packet to `remote` would have now: a route look-up, no packet.
 * 0 or -errno; -ENETUNREACH, -EHOSTUNREACH and -EADDRNOTAVAIL all mean that there is no way there. */
int route_source(const union socket_address *remote, union socket_address *source);
