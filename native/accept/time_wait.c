#include "accept/time_wait.h"

#include "accept/gate.h"
#include "tcp/repair.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

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

int time_wait_make(const union socket_address *local, const union socket_address *remote,
                   const struct peer_segments *segments, uint32_t isn, uint32_t peer_isn, uint32_t *segment_size) {
    uint32_t send_next = isn - ISN_DISTANCE - 1, receive_next = peer_isn - PEER_DISTANCE; /* the FINs count one each */
    struct peer_segment fin = {
        .seq = receive_next, .ack = send_next + 1, .flags = TH_FIN | TH_ACK, .window = UINT16_MAX};
    int fd = socket(local->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), result;

    if (fd < 0) return -errno;
    result = connect_in_repair(fd, local, remote, send_next, receive_next);
    if (result == 0) result = read_segment_size(fd, segment_size);
    if (result == 0) result = finish_silently(fd);
    if (result == 0) result = peer_segments_send(segments, &fin);
    if (result == 0) result = await_close(fd);
    /* Closed in repair, it sends no FIN and no RST after a failure. */
    if (result < 0) socket_set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
    close(fd);
    return result;
}
