#include "inband/packet.h"

#include "socket/headers.h"

#include <errno.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <string.h>

/* Narrows packet and length to what follows the IPv4 header, and takes the addresses from that. */
static int skip_ipv4(int protocol, const uint8_t **packet, size_t *length, struct inband_segment *segment) {
    struct iphdr ip;

    if (*length < sizeof ip) return -EBADMSG;
    memcpy(&ip, *packet, sizeof ip);
    size_t header = (size_t)ip.ihl * 4, total = ntohs(ip.tot_len);
    if (ip.version != 4 || header < sizeof ip || total < header || total > *length) return -EBADMSG;
    /* A raw socket gets whole packets only: there are no more fragments, and there is no offset. */
    if (ntohs(ip.frag_off) & (IP_MF | IP_OFFMASK) || ip.protocol != protocol) return -EBADMSG;
    segment->source = (union socket_address){.v4 = {.sin_family = AF_INET, .sin_addr = {ip.saddr}}};
    segment->destination = (union socket_address){.v4 = {.sin_family = AF_INET, .sin_addr = {ip.daddr}}};
    *packet += header;
    *length = total - header;
    return 0;
}

int inband_parse(int family, const uint8_t *packet, size_t length, struct inband_segment *segment) {
    const uint8_t *tcp = packet;

    if (family == AF_INET && skip_ipv4(IPPROTO_TCP, &tcp, &length, segment) < 0) return -EBADMSG;
    if (length < TCP_HEADER) return -EBADMSG;
    size_t header = (size_t)(tcp[TCP_OFFSET] >> 4) * 4;
    if (header < TCP_HEADER + INBAND_OPTION_HEAD || header > length) return -EBADMSG;
    if (tcp[TCP_FLAGS] != TH_ACK) return -EBADMSG;

    const uint8_t *option = tcp + TCP_HEADER;
    size_t option_size = option[1];
    if (option[0] != INBAND_KIND || get32(option + 2) != INBAND_EXID) return -EBADMSG;
    if (option_size < INBAND_OPTION_HEAD || option_size > header - TCP_HEADER) return -EBADMSG;
    if (tcp_checksum(&segment->source, &segment->destination, tcp, length) != 0) return -EBADMSG;

    socket_address_set_port(&segment->source, get16(tcp + TCP_SOURCE_PORT));
    socket_address_set_port(&segment->destination, get16(tcp + TCP_DESTINATION_PORT));
    segment->seq = get32(tcp + TCP_SEQUENCE);
    segment->ack = get32(tcp + TCP_ACKNOWLEDGEMENT);
    segment->option = option + INBAND_OPTION_HEAD;
    segment->option_length = option_size - INBAND_OPTION_HEAD;
    segment->body = tcp + header;
    segment->body_length = length - header;
    return 0;
}

int inband_build(const struct inband_segment *segment, uint8_t *out, size_t capacity) {
    size_t option_size = INBAND_OPTION_HEAD + segment->option_length;
    size_t header = TCP_HEADER + ((option_size + 3) & ~(size_t)3);

    if (segment->source.any.sa_family != segment->destination.any.sa_family) return -EINVAL;
    if (segment->option_length > INBAND_OPTION_MAX) return -EINVAL;
    if (segment->body_length > INBAND_BODY_MAX || header + segment->body_length > capacity) return -EMSGSIZE;

    /* Zero is also the option "end of list" (EOL), which fills the header up. */
    memset(out, 0, header);
    put16(out + TCP_SOURCE_PORT, socket_address_port(&segment->source));
    put16(out + TCP_DESTINATION_PORT, socket_address_port(&segment->destination));
    put32(out + TCP_SEQUENCE, segment->seq);
    put32(out + TCP_ACKNOWLEDGEMENT, segment->ack);
    out[TCP_OFFSET] = (uint8_t)(header / 4 << 4);
    out[TCP_FLAGS] = TH_ACK;
    put16(out + TCP_WINDOW_FIELD, UINT16_MAX);

    uint8_t *option = out + TCP_HEADER;
    option[0] = INBAND_KIND;
    option[1] = (uint8_t)option_size;
    put32(option + 2, INBAND_EXID);
    if (segment->option_length > 0) memcpy(option + INBAND_OPTION_HEAD, segment->option, segment->option_length);
    if (segment->body_length > 0) memcpy(out + header, segment->body, segment->body_length);
    put16(out + TCP_CHECKSUM,
          tcp_checksum(&segment->source, &segment->destination, out, header + segment->body_length));
    return (int)(header + segment->body_length);
}

enum {
    /* How much longer than it is a datagram claims to be. */
    EXCESS = 1,
    /* What follows the UDP header: ExID and the option part's length. */
    HEAD = 5,
};

int inband_parse_datagram(int family, const uint8_t *packet, size_t length, struct inband_segment *segment) {
    const uint32_t exid = htonl(INBAND_EXID);
    const uint8_t *data = packet;
    struct udphdr udp;
    uint16_t check;

    if (family == AF_INET && skip_ipv4(IPPROTO_UDP, &data, &length, segment) < 0) return -EBADMSG;
    if (length < sizeof udp + HEAD) return -EBADMSG;
    memcpy(&udp, data, sizeof udp);
    data += sizeof udp;
    size_t rest = length - sizeof udp, option_length = data[HEAD - 1];
    if (ntohs(udp.len) != length + EXCESS || memcmp(data, &exid, sizeof exid) != 0) return -EBADMSG;
    if (option_length > INBAND_OPTION_MAX || option_length > rest - HEAD) return -EBADMSG;
    check = ntohs(udp.check);
    udp.check = 0;
    if (udp_checksum(&segment->source, &segment->destination, &udp, data, rest) != check) return -EBADMSG;

    socket_address_set_port(&segment->source, ntohs(udp.source));
    socket_address_set_port(&segment->destination, ntohs(udp.dest));
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
