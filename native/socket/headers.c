#include "socket/headers.h"

static uint64_t sum16(const void *bytes, size_t length) {
    const uint8_t *at = bytes;
    uint64_t sum = 0;

    for (; length > 1; at += 2, length -= 2) sum += get16(at);
    return length ? sum + ((uint64_t)at[0] << 8) : sum;
}

/* The part of the sum that the pseudo header's addresses make. */
static uint64_t sum_addresses(const union socket_address *source, const union socket_address *destination) {
    if (source->any.sa_family == AF_INET6)
        return sum16(&source->v6.sin6_addr, 16) + sum16(&destination->v6.sin6_addr, 16);
    return sum16(&source->v4.sin_addr, 4) + sum16(&destination->v4.sin_addr, 4);
}

static uint16_t complement(uint64_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}

uint16_t tcp_checksum(const union socket_address *source, const union socket_address *destination, const uint8_t *tcp,
                      size_t length) {
    return complement(IPPROTO_TCP + (uint64_t)length + sum16(tcp, length) + sum_addresses(source, destination));
}

uint16_t udp_checksum(const union socket_address *source, const union socket_address *destination,
                      const struct udphdr *header, const uint8_t *data, size_t length) {
    uint64_t whole = sizeof *header + length;
    uint16_t checksum = complement(IPPROTO_UDP + whole + sum16(header, sizeof *header) + sum16(data, length) +
                                   sum_addresses(source, destination));

    return checksum ? checksum : UINT16_MAX;
}
