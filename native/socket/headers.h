/* TCP segments and UDP datagrams as bytes: a TCP header's fields, in network order, and both checksums (RFC 9293 3.1,
 * RFC 768, RFC 8200 8.1). Pure functions. */
#pragma once

#include "socket/address.h"

#include <netinet/udp.h>
#include <stddef.h>
#include <stdint.h>

/* Offsets in the TCP header. */
enum {
    TCP_SOURCE_PORT = 0,
    TCP_DESTINATION_PORT = 2,
    TCP_SEQUENCE = 4,
    TCP_ACKNOWLEDGEMENT = 8,
    TCP_OFFSET = 12,
    TCP_FLAGS = 13,
    TCP_WINDOW_FIELD = 14,
    TCP_CHECKSUM = 16,
    TCP_HEADER = 20,
    TCP_OPTIONS_MAX = 40,
};

static inline uint16_t get16(const uint8_t *bytes) { return (uint16_t)(bytes[0] << 8 | bytes[1]); }

static inline uint32_t get32(const uint8_t *bytes) { return (uint32_t)get16(bytes) << 16 | get16(bytes + 2); }

static inline void put16(uint8_t *bytes, uint16_t value) {
    bytes[0] = (uint8_t)(value >> 8);
    bytes[1] = (uint8_t)value;
}

static inline void put32(uint8_t *bytes, uint32_t value) {
    put16(bytes, (uint16_t)(value >> 16));
    put16(bytes + 2, (uint16_t)value);
}

/**
 * The checksum of a segment between two addresses of one family, ports not looked at, whose checksum field is 0. Of one
 * whose checksum field is right already it is 0.
 */
uint16_t tcp_checksum(const union socket_address *source, const union socket_address *destination, const uint8_t *tcp,
                      size_t length);

/**
 * The checksum of a datagram between two addresses of one family, on the wire, ports not looked at. `header` has its
 * checksum field 0. Never 0, which would mean that there is none.
 */
uint16_t udp_checksum(const union socket_address *source, const union socket_address *destination,
                      const struct udphdr *header, const uint8_t *data, size_t length);
