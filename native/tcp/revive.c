/* tcp_revive: a saved state into a socket object that exists. */

#include "socket/lock.h"
#include "tcp/queue.h"
#include "tcp/repair.h"
#include "tcp/tcp.h"

#include <errno.h>
#include <string.h>

/* linux/tcp.h has these, but cannot be included together with netinet/tcp.h. */
#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45
#define TCP_DELACK_MAX_US 46
#endif

/* What TCP_MAXSEG takes (TCP_MIN_MSS and MAX_TCP_WINDOW of include/net/tcp.h). */
#define SEGMENT_SIZE_MIN 88
#define SEGMENT_SIZE_MAX 32767

/* What tcp_disconnect() in net/ipv4/tcp.c resets of the options that a program can set. */
static const struct {
    int level, option;
} forgotten[] = {
    {IPPROTO_TCP, TCP_WINDOW_CLAMP},
    {IPPROTO_TCP, TCP_RTO_MIN_US},
    {IPPROTO_TCP, TCP_DELACK_MAX_US},
    {SOL_SOCKET, SO_PEEK_OFF},
};
#define FORGOTTEN (sizeof forgotten / sizeof forgotten[0])

struct kept_options {
    bool known[FORGOTTEN]; /* an older kernel does not have all of them */
    int value[FORGOTTEN];
};

static void keep_options(int fd, struct kept_options *kept) {
    for (size_t i = 0; i < FORGOTTEN; i++)
        kept->known[i] = socket_get(fd, forgotten[i].level, forgotten[i].option, &kept->value[i]) == 0;
}

/*
 * Setting TCP_WINDOW_CLAMP, even to what it is, lets the receive window start at its old size again
 * instead of growing from the first segments on.
 */
static int put_options_back(int fd, const struct kept_options *kept) {
    for (size_t i = 0; i < FORGOTTEN; i++) {
        int result = kept->known[i] ? socket_set(fd, forgotten[i].level, forgotten[i].option, kept->value[i]) : 0;

        if (result < 0) return result;
    }
    return 0;
}

/* Only a socket that is closed, or that was saved and locked ever since, may be overwritten. */
static int check_socket(int fd, const struct socket_record *record, bool *closed) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length)) return -errno;
    *closed = info.tcpi_state == TCP_CLOSE;
    if (*closed) return 0;
    if (!record->in_repair || !record->locked) return -EINVAL;
    return socket_is_locked(record) ? 0 : -ETIME;
}

/*
 * connect() computes the segment size, for the smallest MSS, and TCP_REPAIR_OPTIONS does not do it
 * again: unless TCP_MAXSEG says so, every segment of the connection's life has 536 bytes
 * (tcp_connect_init in net/ipv4/tcp_output.c). At most half the peer's largest window, as there
 * (tcp_bound_to_half_wnd).
 */
static int set_segment_size(int fd, const struct tcp_saved *saved) {
    uint32_t half = saved->window.max_window > TCP_MSS_DEFAULT ? saved->window.max_window / 2 : TCP_MSS_DEFAULT;
    uint32_t size = saved->mss_clamp < half ? saved->mss_clamp : half;

    if (size > SEGMENT_SIZE_MAX) size = SEGMENT_SIZE_MAX;
    if (size < SEGMENT_SIZE_MIN) size = SEGMENT_SIZE_MIN;
    return socket_set(fd, IPPROTO_TCP, TCP_MAXSEG, (int)size);
}

static int connect_remote(int fd, const struct tcp_saved *saved, const union socket_address *local,
                          const union socket_address *remote, uint32_t flow) {
    union socket_address bound, target = *remote;
    int result = set_segment_size(fd, saved);

    if (result < 0) return result;
    if (target.any.sa_family == AF_INET6) target.v6.sin6_flowinfo = flow;
    if (connect(fd, &target.any, socket_address_length(&target))) return -errno;
    result = socket_set(fd, IPPROTO_TCP, TCP_MAXSEG, 0); /* as if the program had never set it */
    if (result == 0) result = socket_local(fd, &bound);
    if (result < 0) return result;
    return socket_address_equal(&bound, local) ? 0 : -EADDRNOTAVAIL;
}

/* Only what both ends agreed on in their handshake; allowed while nothing was sent. */
static int set_options(int fd, const struct tcp_saved *saved) {
    struct tcp_repair_opt options[4];
    unsigned count = 0;

    options[count++] = (struct tcp_repair_opt){TCPOPT_MAXSEG, saved->mss_clamp};
    if (saved->options & TCPI_OPT_WSCALE)
        options[count++] =
            (struct tcp_repair_opt){TCPOPT_WINDOW, saved->snd_wscale | ((uint32_t)saved->rcv_wscale << 16)};
    if (saved->options & TCPI_OPT_SACK) options[count++] = (struct tcp_repair_opt){TCPOPT_SACK_PERMITTED, 0};
    if (saved->options & TCPI_OPT_TIMESTAMPS) options[count++] = (struct tcp_repair_opt){TCPOPT_TIMESTAMP, 0};
    if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options, (socklen_t)(count * sizeof *options))) return -errno;
    if (!(saved->options & TCPI_OPT_TIMESTAMPS)) return 0;
    /* The kernel uses the lowest bit for the unit and so may have read one tick too few: never go back. */
    return socket_set(fd, IPPROTO_TCP, TCP_TIMESTAMP, (int)(saved->timestamp + 2));
}

/*
 * With a window of zero the kernel keeps unsent data until the release. Repaired data would count
 * as sent, and with no round trip time known, wait three seconds to be sent again
 * (TCP_TIMEOUT_FALLBACK in tcp_init_metrics, net/ipv4/tcp_metrics.c).
 */
static int hold_unsent(int fd, const uint8_t *queue, uint32_t length, struct socket_record *record) {
    int result;

    if (length == 0) return 0;
    result = tcp_repair_off(fd, TCP_REPAIR_OFF_NO_WP, record);
    if (result == 0) result = tcp_send_queue_fill(fd, queue, length);
    return result < 0 ? result : tcp_repair_on(fd, record);
}

static int clear(int fd, const struct tcp_saved *saved, bool closed, uint32_t peer_has, struct socket_record *record,
                 struct failure *failure) {
    int result;

    failure->step = "TCP_REPAIR";
    if ((result = tcp_repair_on(fd, record)) < 0) return result;
    if (closed && saved->reuse_address >= 0) record->reuse_address = saved->reuse_address;
    failure->step = "connect(AF_UNSPEC)";
    if ((result = tcp_disconnect(fd)) < 0) return result;
    failure->step = "SO_ATTACH_FILTER";
    if ((result = socket_lock_resets(fd, record)) < 0) return result;
    failure->step = "TCP_QUEUE_SEQ";
    if ((result = tcp_queue_start(fd, TCP_SEND_QUEUE, peer_has)) < 0) return result;
    return tcp_queue_start(fd, TCP_RECV_QUEUE, saved->rcv_nxt - saved->receive_length);
}

/* Notes what the release needs, and shuts the window until then. */
static int shut_window(int fd, const struct tcp_saved *saved, uint32_t trimmed, struct socket_record *record) {
    struct tcp_repair_window shut = saved->window;

    record->held = true;
    record->fin_sent = saved->fin_sent;
    record->window = saved->window;
    /* The window counts from snd_una on, which moved. */
    record->window.snd_wnd -= trimmed < saved->window.snd_wnd ? trimmed : saved->window.snd_wnd;
    shut.snd_wnd = 0;
    return tcp_window_set(fd, &shut);
}

int tcp_revive(int fd, const struct tcp_saved *saved, const union socket_address *local,
               const union socket_address *remote, uint32_t peer_has, struct failure *failure) {
    uint32_t trimmed = peer_has - saved->snd_una, flow;
    struct socket_record *record;
    struct kept_options kept;
    bool closed = false;
    int result;

    failure->step = "peerHas";
    if (trimmed > saved->send_length) return -EINVAL;
    failure->step = "SO_GET_FILTER";
    if ((result = socket_lock_record(fd, &record)) < 0) return result;
    failure->step = "TCP_INFO";
    if ((result = check_socket(fd, record, &closed)) < 0) return result;
    if (!closed) keep_options(fd, &kept);
    flow = socket_flow(fd);
    if ((result = clear(fd, saved, closed, peer_has, record, failure)) < 0) return result;
    failure->step = "bind";
    if ((result = tcp_bind(fd, local)) < 0) return result;
    failure->step = "connect";
    if ((result = connect_remote(fd, saved, local, remote, flow)) < 0) return result;
    failure->step = "TCP_REPAIR_OPTIONS";
    if ((result = set_options(fd, saved)) < 0) return result;
    failure->step = "receive queue";
    if ((result = tcp_receive_queue_fill(fd, saved->receive_queue, saved->receive_length)) < 0) return result;
    failure->step = "TCP_REPAIR_QUEUE";
    if ((result = socket_set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_NO_QUEUE)) < 0) return result;
    failure->step = "TCP_REPAIR_WINDOW";
    if ((result = shut_window(fd, saved, trimmed, record)) < 0) return result;
    failure->step = "send queue";
    result = hold_unsent(fd, saved->send_queue + trimmed, saved->send_length - trimmed, record);
    if (result < 0) return result;
    failure->step = "TCP_WINDOW_CLAMP";
    if (closed) keep_options(fd, &kept);
    return put_options_back(fd, &kept);
}
