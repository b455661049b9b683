#include "socket/udp_header.h"

/* Ones' complement sum of big-endian words (RFC 1071). */
static uint64_t sum(const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    uint64_t total = 0;

    for (; length > 1; at += 2, length -= 2) total += (uint64_t)(at[0] << 8 | at[1]);
    return length ? total + (uint64_t)(at[0] << 8) : total;
}

uint16_t udp_checksum(const union socket_address *source, const union socket_address *destination,
                      const struct udphdr *header, const uint8_t *data, size_t length) {
    uint64_t total =
        IPPROTO_UDP + (uint64_t)(sizeof *header + length) + sum(header, sizeof *header) + sum(data, length);
    uint16_t folded;

    if (source->any.sa_family == AF_INET6)
        total += sum(&source->v6.sin6_addr, 16) + sum(&destination->v6.sin6_addr, 16);
    else
        total += sum(&source->v4.sin_addr, 4) + sum(&destination->v4.sin_addr, 4);
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    folded = (uint16_t)~total;
    return folded ? folded : UINT16_MAX;
}
