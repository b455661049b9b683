/* The UDP header's checksum (RFC 768, RFC 8200 8.1). Pure. */
#pragma once

#include "socket/address.h"

#include <netinet/udp.h>
#include <stddef.h>

/**
 * Of a datagram between two addresses of one family, on the wire, ports not looked at. `header` has its checksum field 0.
 * Never 0, which would mean that there is none.
 */
uint16_t udp_checksum(const union socket_address *source, const union socket_address *destination,
                      const struct udphdr *header, const uint8_t *data, size_t length);
