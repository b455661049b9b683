#include "tap.h"

#include "result.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int tap_open(void) {
    struct sockaddr_ll link = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int tap = need(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0));

    link.sll_ifindex = if_nametoindex("eth0");
    need(bind(tap, (struct sockaddr *)&link, sizeof(link)));
    return tap;
}

static bool parse(const uint8_t *packet, size_t size, int protocol, struct segment *segment) {
    struct tcphdr tcp;
    size_t start, total;

    if (protocol == ETH_P_IP && size >= sizeof(struct iphdr)) {
        const struct iphdr *ip = (const void *)packet;

        if (ip->protocol != IPPROTO_TCP) return false;
        start = ip->ihl * 4u;
        total = ntohs(ip->tot_len);
    } else if (protocol == ETH_P_IPV6 && size >= sizeof(struct ip6_hdr)) {
        const struct ip6_hdr *ip = (const void *)packet;

        if (ip->ip6_nxt != IPPROTO_TCP) return false;
        start = sizeof(*ip);
        total = start + ntohs(ip->ip6_plen);
    } else {
        return false;
    }
    if (size < start + sizeof(tcp)) return false;
    memcpy(&tcp, packet + start, sizeof(tcp));
    segment->source = ntohs(tcp.source);
    segment->destination = ntohs(tcp.dest);
    segment->seq = ntohl(tcp.seq);
    segment->ack = ntohl(tcp.ack_seq);
    segment->flags = tcp.th_flags;
    segment->body = total - start - tcp.doff * 4u;
    return true;
}

static int64_t now_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

bool tap_next(int tap, bool out, int milliseconds, struct segment *segment) {
    int64_t until = now_ms() + milliseconds, left;
    _Alignas(8) uint8_t packet[256];

    for (;;) {
        struct sockaddr_ll from;
        socklen_t from_size = sizeof(from);
        ssize_t got =
            recvfrom(tap, packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC, (struct sockaddr *)&from, &from_size);

        if (got < 0 && errno == EAGAIN) {
            left = until - now_ms();
            if (left <= 0 || !readable(tap, left)) return false;
            continue;
        }
        need(got);
        segment->out = from.sll_pkttype == PACKET_OUTGOING;
        if (parse(packet, got < (ssize_t)sizeof(packet) ? (size_t)got : sizeof(packet), ntohs(from.sll_protocol),
                  segment) &&
            segment->out == out)
            return true;
    }
}

int tap_count(int tap, bool out) {
    struct segment segment;
    int count = 0;

    while (tap_next(tap, out, 0, &segment)) count++;
    return count;
}

static uint32_t sum(uint32_t total, const void *data, size_t size) {
    const uint8_t *bytes = data;

    for (size_t i = 0; i < size; i++) total += i % 2 ? bytes[i] : bytes[i] << 8;
    return total;
}

static uint16_t tcp_sum(const union address *from, const union address *to, const uint8_t *packet, size_t size) {
    bool v4 = from->any.sa_family == AF_INET;
    const void *source = v4 ? (const void *)&from->v4.sin_addr : (const void *)&from->v6.sin6_addr;
    const void *destination = v4 ? (const void *)&to->v4.sin_addr : (const void *)&to->v6.sin6_addr;
    size_t length = v4 ? 4 : 16;
    uint32_t total = sum(0, packet, size) + IPPROTO_TCP + size;

    total = sum(sum(total, source, length), destination, length);
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    return htons((uint16_t)~total);
}

void inject(const union address *from, const union address *to, const struct segment *segment, const uint8_t *options,
            size_t options_size) {
    uint8_t packet[2048] = {0};
    size_t header = sizeof(struct tcphdr) + options_size, size = header + segment->body;
    union address source = *from, target = *to;
    struct tcphdr tcp = {
        .source = htons(port_of(from)),
        .dest = htons(port_of(to)),
        .seq = htonl(segment->seq),
        .ack_seq = htonl(segment->ack),
        .doff = header / 4,
        .window = htons(1000),
    };
    int raw = need(socket(from->any.sa_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));

    expect(size <= sizeof(packet), "a segment of %zu bytes", size);
    if (from->any.sa_family == AF_INET6)
        source.v6.sin6_port = target.v6.sin6_port = 0; /* it would be taken for the protocol */
    need(setsockopt(raw, SOL_SOCKET, SO_PRIORITY, &(int){INJECTED}, sizeof(int)));
    if (from->any.sa_family == AF_INET)
        need(setsockopt(raw, IPPROTO_IP, IP_TRANSPARENT, &(int){1}, sizeof(int)));
    else
        need(setsockopt(raw, IPPROTO_IPV6, IPV6_TRANSPARENT, &(int){1}, sizeof(int)));
    need(bind(raw, &source.any, address_size(&source)));
    tcp.th_flags = segment->flags;
    memcpy(packet, &tcp, sizeof(tcp));
    if (options_size) memcpy(packet + sizeof(tcp), options, options_size);
    memset(packet + header, '!', segment->body);
    tcp.check = tcp_sum(from, to, packet, size);
    memcpy(packet, &tcp, sizeof(tcp));
    need(sendto(raw, packet, size, 0, &target.any, address_size(&target)));
    close(raw);
}
