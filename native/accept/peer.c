#include "accept/peer.h"

#include "accept/gate.h"
#include "socket/headers.h"
#include "tcp/repair.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
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

int peer_open(struct peer *peer, const union socket_address *local, const union socket_address *remote, int priority) {
    union socket_address source;
    int result;

    peer->from = socket_address_plain(remote);
    peer->to = socket_address_plain(local);
    source = without_port(&peer->from);
    peer->fd = socket(source.any.sa_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
    if (peer->fd < 0) return -errno;
    result = set_up(peer->fd, &source, priority);
    if (result < 0) peer_close(peer);
    return result;
}

int peer_send(const struct peer *peer, const struct peer_segment *segment) {
    uint8_t packet[TCP_HEADER + TCP_OPTIONS_MAX + PEER_BODY_MAX];
    size_t header = TCP_HEADER + segment->options_length, length = header + segment->body_length;
    union socket_address target = without_port(&peer->to);

    if (segment->options_length > TCP_OPTIONS_MAX || segment->options_length % 4) return -EINVAL;
    if (segment->body_length > PEER_BODY_MAX) return -EMSGSIZE;
    memset(packet, 0, TCP_HEADER);
    put16(packet + TCP_SOURCE_PORT, socket_address_port(&peer->from));
    put16(packet + TCP_DESTINATION_PORT, socket_address_port(&peer->to));
    put32(packet + TCP_SEQUENCE, segment->seq);
    put32(packet + TCP_ACKNOWLEDGEMENT, segment->ack);
    packet[TCP_OFFSET] = (uint8_t)(header / 4 << 4);
    packet[TCP_FLAGS] = segment->flags;
    put16(packet + TCP_WINDOW_FIELD, segment->window);
    if (segment->options_length) memcpy(packet + TCP_HEADER, segment->options, segment->options_length);
    if (segment->body_length) memcpy(packet + header, segment->body, segment->body_length);
    put16(packet + TCP_CHECKSUM, tcp_checksum(&peer->from, &peer->to, packet, length));
    return sendto(peer->fd, packet, length, 0, &target.any, socket_address_length(&target)) < 0 ? -errno : 0;
}

void peer_close(struct peer *peer) {
    if (peer->fd >= 0) close(peer->fd);
    peer->fd = -1;
}

/* TIME_WAIT. */

/* How far the answer's number lies after the last one sent: isn = tw_snd_nxt + 65535 + 2
 * (tcp_timewait_state_process()). */
#define ISN_DISTANCE 65537u
/* The SYN must lie after what was received (in the same function). */
#define PEER_DISTANCE 65536u
#define ARRIVAL_MS 1000

static int connect_in_repair(int fd, const union socket_address *local, const union socket_address *remote,
                             uint32_t send_next, uint32_t receive_next) {
    int result = socket_set(fd, SOL_SOCKET, SO_PRIORITY, GATE_HUSH);

    if (result == 0) result = socket_set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
    if (result == 0) result = tcp_queue_start(fd, TCP_RECV_QUEUE, receive_next);
    if (result == 0) result = tcp_queue_start(fd, TCP_SEND_QUEUE, send_next);
    if (result == 0 && bind(fd, &local->any, socket_address_length(local))) result = -errno;
    if (result == 0 && connect(fd, &remote->any, socket_address_length(remote))) result = -errno;
    return result;
}

/* In repair mode, with the send queue selected, TCP counts a FIN as sent without sending it (tcp_write_xmit). */
static int finish_silently(int fd) {
    if (shutdown(fd, SHUT_WR)) return -errno;
    return socket_set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
}

/* A socket whose connection went into TIME_WAIT is closed itself. */
static int await_close(int fd) {
    struct pollfd closed = {.fd = fd};
    int result = poll(&closed, 1, ARRIVAL_MS);

    if (result < 0) return -errno;
    return closed.revents & POLLHUP ? 0 : -ETIMEDOUT;
}

static int read_segment_size(int fd, uint32_t *segment_size) {
    struct tcp_info info;
    int result = socket_tcp_info(fd, &info);

    if (result == 0) *segment_size = info.tcpi_advmss;
    return result;
}

int peer_time_wait(const union socket_address *local, const union socket_address *remote, const struct peer *peer,
                   uint32_t isn, uint32_t peer_isn, uint32_t *segment_size) {
    uint32_t send_next = isn - ISN_DISTANCE - 1, receive_next = peer_isn - PEER_DISTANCE; /* the FINs count one each */
    struct peer_segment fin = {
        .seq = receive_next, .ack = send_next + 1, .flags = TH_FIN | TH_ACK, .window = UINT16_MAX};
    int fd = socket(local->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), result;

    if (fd < 0) return -errno;
    result = connect_in_repair(fd, local, remote, send_next, receive_next);
    if (result == 0) result = read_segment_size(fd, segment_size);
    if (result == 0) result = finish_silently(fd);
    if (result == 0) result = peer_send(peer, &fin);
    if (result == 0) result = await_close(fd);
    /* Closed in repair, it sends no FIN and no RST after a failure. */
    if (result < 0) socket_set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
    close(fd);
    return result;
}
