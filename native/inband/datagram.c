#include "inband/datagram.h"

#include "socket/udp_header.h"

#include <errno.h>
#include <netinet/ip.h>
#include <string.h>

enum {
    EXCESS = 1,
    /* After the UDP header: ExID and the option part's length. */
    HEAD = 5,
};

/* Narrows packet and length to the UDP datagram and takes the addresses. */
static int skip_ipv4(const uint8_t **packet, size_t *length, struct inband_segment *segment) {
    struct iphdr ip;

    if (*length < sizeof ip) return -EBADMSG;
    memcpy(&ip, *packet, sizeof ip);
    size_t header = (size_t)ip.ihl * 4, total = ntohs(ip.tot_len);
    if (ip.version != 4 || header < sizeof ip || total < header || total > *length) return -EBADMSG;
    /* A raw socket gets whole packets only. */
    if (ntohs(ip.frag_off) & ~IP_DF || ip.protocol != IPPROTO_UDP) return -EBADMSG;
    segment->source = (union socket_address){.v4 = {.sin_family = AF_INET, .sin_addr = {ip.saddr}}};
    segment->destination = (union socket_address){.v4 = {.sin_family = AF_INET, .sin_addr = {ip.daddr}}};
    *packet += header;
    *length = total - header;
    return 0;
}

static void set_port(uint16_t port, union socket_address *endpoint) {
    if (endpoint->any.sa_family == AF_INET6)
        endpoint->v6.sin6_port = port;
    else
        endpoint->v4.sin_port = port;
}

int inband_parse_datagram(int family, const uint8_t *packet, size_t length, struct inband_segment *segment) {
    const uint32_t exid = htonl(INBAND_EXID);
    const uint8_t *data = packet;
    struct udphdr udp;
    uint16_t check;

    if (family == AF_INET && skip_ipv4(&data, &length, segment) < 0) return -EBADMSG;
    if (length < sizeof udp + HEAD) return -EBADMSG;
    memcpy(&udp, data, sizeof udp);
    data += sizeof udp;
    size_t rest = length - sizeof udp, option_length = data[HEAD - 1];
    if (ntohs(udp.len) != length + EXCESS || memcmp(data, &exid, sizeof exid) != 0) return -EBADMSG;
    if (option_length > INBAND_OPTION_MAX || option_length > rest - HEAD) return -EBADMSG;
    check = ntohs(udp.check);
    udp.check = 0;
    if (udp_checksum(&segment->source, &segment->destination, &udp, data, rest) != check) return -EBADMSG;

    set_port(udp.source, &segment->source);
    set_port(udp.dest, &segment->destination);
    segment->seq = segment->ack = 0;
    segment->option = data + HEAD;
    segment->option_length = option_length;
    segment->body = data + HEAD + option_length;
    segment->body_length = rest - HEAD - option_length;
    return 0;
}

int inband_build_datagram(const struct inband_segment *segment, uint8_t *out, size_t capacity) {
    const uint32_t exid = htonl(INBAND_EXID);
    size_t rest = HEAD + segment->option_length + segment->body_length, length = sizeof(struct udphdr) + rest;
    uint8_t *data = out + sizeof(struct udphdr);

    if (segment->source.any.sa_family != segment->destination.any.sa_family) return -EINVAL;
    if (segment->option_length > INBAND_OPTION_MAX) return -EINVAL;
    if (segment->body_length > INBAND_BODY_MAX || length > capacity) return -EMSGSIZE;

    struct udphdr udp = {.source = htons(socket_address_port(&segment->source)),
                         .dest = htons(socket_address_port(&segment->destination)),
                         .len = htons((uint16_t)(length + EXCESS))};
    memcpy(data, &exid, sizeof exid);
    data[HEAD - 1] = (uint8_t)segment->option_length;
    if (segment->option_length > 0) memcpy(data + HEAD, segment->option, segment->option_length);
    if (segment->body_length > 0) memcpy(data + HEAD + segment->option_length, segment->body, segment->body_length);
    udp.check = htons(udp_checksum(&segment->source, &segment->destination, &udp, data, rest));
    memcpy(out, &udp, sizeof udp);
    return (int)length;
}
