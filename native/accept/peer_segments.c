#include "accept/peer_segments.h"

#include "socket/headers.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static int set_up(int fd, const union socket_address *source, int priority) {
    /* A raw socket gets a copy of each TCP segment that comes to the host; this one only sends. */
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog filter = {.len = 1, .filter = &nothing};
    const int on = 1;
    int v6 = source->any.sa_family == AF_INET6;

    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter)) return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof priority)) return -errno;
    if (setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_TRANSPARENT : IP_TRANSPARENT, &on, sizeof on))
        return -errno;
    return bind(fd, &source->any, socket_address_length(source)) ? -errno : 0;
}

/* In a raw socket's address the port is a protocol number. */
static union socket_address without_port(const union socket_address *address) {
    union socket_address plain = *address;

    socket_address_set_port(&plain, 0);
    return plain;
}

int peer_segments_open(struct peer_segments *segments, const union socket_address *local,
                       const union socket_address *remote, int priority) {
    union socket_address source;
    int result;

    segments->from = socket_address_plain(remote);
    segments->to = socket_address_plain(local);
    source = without_port(&segments->from);
    segments->fd = socket(source.any.sa_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
    if (segments->fd < 0) return -errno;
    result = set_up(segments->fd, &source, priority);
    if (result < 0) peer_segments_close(segments);
    return result;
}

int peer_segments_send(const struct peer_segments *segments, const struct peer_segment *segment) {
    uint8_t packet[TCP_HEADER + TCP_OPTIONS_MAX + PEER_BODY_MAX];
    size_t header = TCP_HEADER + segment->options_length, length = header + segment->body_length;
    union socket_address target = without_port(&segments->to);

    if (segment->options_length > TCP_OPTIONS_MAX || segment->options_length % 4) return -EINVAL;
    if (segment->body_length > PEER_BODY_MAX) return -EMSGSIZE;
    memset(packet, 0, TCP_HEADER);
    put16(packet + TCP_SOURCE_PORT, socket_address_port(&segments->from));
    put16(packet + TCP_DESTINATION_PORT, socket_address_port(&segments->to));
    put32(packet + TCP_SEQUENCE, segment->seq);
    put32(packet + TCP_ACKNOWLEDGEMENT, segment->ack);
    packet[TCP_OFFSET] = (uint8_t)(header / 4 << 4);
    packet[TCP_FLAGS] = segment->flags;
    put16(packet + TCP_WINDOW_FIELD, segment->window);
    if (segment->options_length) memcpy(packet + TCP_HEADER, segment->options, segment->options_length);
    if (segment->body_length) memcpy(packet + header, segment->body, segment->body_length);
    put16(packet + TCP_CHECKSUM, tcp_checksum(&segments->from, &segments->to, packet, length));
    return sendto(segments->fd, packet, length, 0, &target.any, socket_address_length(&target)) < 0 ? -errno : 0;
}

void peer_segments_close(struct peer_segments *segments) {
    if (segments->fd >= 0) close(segments->fd);
    segments->fd = -1;
}
