#include "udp.h"

#include "result.h"

#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int udp_bound(const union address *local) {
    int fd = need(socket(local->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));

    need(bind(fd, &local->any, address_size(local)));
    return fd;
}

void udp_connect(int fd, const union address *remote) {
    const struct sockaddr none = {.sa_family = AF_UNSPEC};

    need(remote ? connect(fd, &remote->any, address_size(remote)) : connect(fd, &none, sizeof(none)));
}

void udp_send(int fd, const union address *to, const char *text) {
    need(sendto(fd, text, strlen(text), 0, to ? &to->any : NULL, to ? address_size(to) : 0));
}

static uint32_t add(uint32_t sum, const void *bytes, size_t size) {
    const uint8_t *at = bytes;

    for (; size > 1; at += 2, size -= 2) sum += (uint32_t)(at[0] << 8 | at[1]);
    return size ? sum + (uint32_t)(at[0] << 8) : sum;
}

static uint16_t fold(uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

static const void *host_part(const union address *address, size_t *size) {
    *size = address->any.sa_family == AF_INET ? 4 : 16;
    return address->any.sa_family == AF_INET ? (const void *)&address->v4.sin_addr : &address->v6.sin6_addr;
}

static size_t ip_header(uint8_t *packet, const union address *from, const union address *to, size_t size) {
    if (from->any.sa_family == AF_INET) {
        struct iphdr ip = {.version = 4,
                           .ihl = 5,
                           .ttl = 64,
                           .protocol = IPPROTO_UDP,
                           .tot_len = htons((uint16_t)(20 + size)),
                           .saddr = from->v4.sin_addr.s_addr,
                           .daddr = to->v4.sin_addr.s_addr};
        memcpy(packet, &ip, sizeof(ip));
        return sizeof(ip);
    }
    struct ip6_hdr ip = {.ip6_flow = htonl(6u << 28),
                         .ip6_plen = htons((uint16_t)size),
                         .ip6_nxt = IPPROTO_UDP,
                         .ip6_hlim = 64,
                         .ip6_src = from->v6.sin6_addr,
                         .ip6_dst = to->v6.sin6_addr};
    memcpy(packet, &ip, sizeof(ip));
    return sizeof(ip);
}

void udp_inject(const union address *from, const union address *to, const void *bytes, size_t size, uint16_t excess) {
    static uint8_t packet[65600];
    int family = from->any.sa_family, one = 1;
    size_t length, header = ip_header(packet, from, to, sizeof(struct udphdr) + size);
    struct udphdr udp = {.source = htons(port_of(from)),
                         .dest = htons(port_of(to)),
                         .len = htons((uint16_t)(sizeof(udp) + size + excess))};
    const void *source = host_part(from, &length), *target = host_part(to, &length);
    uint32_t sum = add(add(IPPROTO_UDP + (uint32_t)(sizeof(udp) + size), source, length), target, length);
    union address destination = *to;
    int raw = need(socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));

    udp.check = htons((uint16_t)~fold(add(add(sum, &udp, sizeof(udp)), bytes, size)));
    memcpy(packet + header, &udp, sizeof(udp));
    memcpy(packet + header + sizeof(udp), bytes, size);
    if (family == AF_INET6) {
        need(setsockopt(raw, IPPROTO_IPV6, 36 /* IPV6_HDRINCL */, &one, sizeof(one)));
        destination.v6.sin6_port = 0;
    }
    need(sendto(raw, packet, header + sizeof(udp) + size, 0, &destination.any, address_size(&destination)));
    close(raw);
}

bool same_address(const union address *one, const union address *other) {
    const void *part;
    size_t size;

    if (one->any.sa_family != other->any.sa_family || port_of(one) != port_of(other)) return false;
    part = host_part(one, &size);
    return !memcmp(part, host_part(other, &size), size);
}

bool udp_expect(int fd, const union address *from, const char *text, int milliseconds) {
    union address source = {0};
    socklen_t length = sizeof(source);
    char got[2048];
    ssize_t size;

    if (!readable(fd, milliseconds)) return false;
    size = recvfrom(fd, got, sizeof(got), MSG_DONTWAIT, &source.any, &length);
    if (size < 0) return false;
    return (size_t)size == strlen(text) && !memcmp(got, text, (size_t)size) && same_address(&source, from);
}
