#include "inband/packet.h"

#include "socket/headers.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

/* Offsets in the IP header (RFC 791). */
enum {
    IP_TOTAL_LENGTH = 2,
    IP_FRAGMENT = 6,
    IP_PROTOCOL = 9,
    IP_SOURCE = 12,
    IP_DESTINATION = 16,
    IP_HEADER = 20,
};

static void set_ipv4(const uint8_t *address, union socket_address *endpoint) {
    memset(endpoint, 0, sizeof *endpoint);
    endpoint->v4.sin_family = AF_INET;
    memcpy(&endpoint->v4.sin_addr, address, 4);
}

static void set_port(uint16_t port, union socket_address *endpoint) {
    if (endpoint->any.sa_family == AF_INET6)
        endpoint->v6.sin6_port = htons(port);
    else
        endpoint->v4.sin_port = htons(port);
}

/* Narrows packet and length to the TCP segment and takes the addresses. */
static int skip_ipv4(const uint8_t **packet, size_t *length, struct inband_segment *segment) {
    const uint8_t *ip = *packet;

    if (*length < IP_HEADER || ip[0] >> 4 != 4) return -EBADMSG;
    size_t header = (size_t)(ip[0] & 0x0f) * 4, total = get16(ip + IP_TOTAL_LENGTH);
    if (header < IP_HEADER || total < header || total > *length) return -EBADMSG;
    /* More-fragments flag and offset: a raw socket gets whole packets only. */
    if (get16(ip + IP_FRAGMENT) & 0x3fff || ip[IP_PROTOCOL] != IPPROTO_TCP) return -EBADMSG;
    set_ipv4(ip + IP_SOURCE, &segment->source);
    set_ipv4(ip + IP_DESTINATION, &segment->destination);
    *packet = ip + header;
    *length = total - header;
    return 0;
}

int inband_parse(int family, const uint8_t *packet, size_t length, struct inband_segment *segment) {
    const uint8_t *tcp = packet;

    if (family == AF_INET && skip_ipv4(&tcp, &length, segment) < 0) return -EBADMSG;
    if (length < TCP_HEADER) return -EBADMSG;
    size_t header = (size_t)(tcp[TCP_OFFSET] >> 4) * 4;
    if (header < TCP_HEADER + INBAND_OPTION_HEAD || header > length) return -EBADMSG;
    if (tcp[TCP_FLAGS] != TH_ACK) return -EBADMSG;

    const uint8_t *option = tcp + TCP_HEADER;
    size_t option_size = option[1];
    if (option[0] != INBAND_KIND || get32(option + 2) != INBAND_EXID) return -EBADMSG;
    if (option_size < INBAND_OPTION_HEAD || option_size > header - TCP_HEADER) return -EBADMSG;
    if (tcp_checksum(&segment->source, &segment->destination, tcp, length) != 0) return -EBADMSG;

    set_port(get16(tcp + TCP_SOURCE_PORT), &segment->source);
    set_port(get16(tcp + TCP_DESTINATION_PORT), &segment->destination);
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
