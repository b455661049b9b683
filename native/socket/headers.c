#include "socket/headers.h"

static uint64_t sum16(const uint8_t *bytes, size_t length) {
    uint64_t sum = 0;

    for (; length > 1; bytes += 2, length -= 2) sum += get16(bytes);
    return length ? sum + ((uint64_t)bytes[0] << 8) : sum;
}

uint16_t tcp_checksum(const union socket_address *source, const union socket_address *destination, const uint8_t *tcp,
                      size_t length) {
    uint64_t sum = IPPROTO_TCP + (uint64_t)length + sum16(tcp, length);

    if (source->any.sa_family == AF_INET6) {
        sum += sum16((const uint8_t *)&source->v6.sin6_addr, 16);
        sum += sum16((const uint8_t *)&destination->v6.sin6_addr, 16);
    } else {
        sum += sum16((const uint8_t *)&source->v4.sin_addr, 4);
        sum += sum16((const uint8_t *)&destination->v4.sin_addr, 4);
    }
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)~sum;
}
