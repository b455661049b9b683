#include "tcp/tcp.h"

#include "socket/lock.h"
#include "tcp/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Saving. */

#define IN(state) (1u << (state))
#define FIN_RECEIVED (IN(TCP_CLOSE_WAIT) | IN(TCP_CLOSING) | IN(TCP_LAST_ACK))
#define FIN_NOT_ACKNOWLEDGED (IN(TCP_FIN_WAIT1) | IN(TCP_CLOSING) | IN(TCP_LAST_ACK))
#define FIN_SENT (FIN_NOT_ACKNOWLEDGED | IN(TCP_FIN_WAIT2))
#define SAVEABLE (IN(TCP_ESTABLISHED) | FIN_SENT | FIN_RECEIVED)

static bool is_in(const struct tcp_saved *saved, unsigned states) { return (IN(saved->state) & states) != 0; }

static int check_lock(int fd, struct socket_record **record) {
    int result = socket_record_find(fd, record);

    if (result < 0) return result;
    if (!*record || !(*record)->locked) return -EINVAL;
    return socket_is_locked(*record) ? 0 : -ETIME;
}

static int check_kind(int fd) {
    char upper_layer[16] = "";
    socklen_t length = sizeof upper_layer;
    int protocol, result = socket_get(fd, SOL_SOCKET, SO_PROTOCOL, &protocol);

    if (result < 0) return result;
    if (protocol != IPPROTO_TCP) return -EOPNOTSUPP;
    if (getsockopt(fd, IPPROTO_TCP, TCP_ULP, upper_layer, &length)) return -errno;
    return length > 0 && upper_layer[0] ? -EOPNOTSUPP : 0;
}

static int read_info(int fd, struct tcp_saved *saved) {
    struct tcp_info info;
    int result = socket_tcp_info(fd, &info);

    if (result < 0) return result;
    if (!(IN(info.tcpi_state) & SAVEABLE)) return -EOPNOTSUPP;
    saved->state = info.tcpi_state;
    saved->fin_sent = is_in(saved, FIN_SENT);
    saved->fin_received = is_in(saved, FIN_RECEIVED);
    saved->options = info.tcpi_options;
    saved->snd_wscale = info.tcpi_snd_wscale;
    saved->rcv_wscale = info.tcpi_rcv_wscale;
    return 0;
}

static int read_addresses(int fd, struct tcp_saved *saved) {
    int result = socket_local(fd, &saved->local);

    saved->family = saved->local.any.sa_family;
    return result < 0 ? result : socket_remote(fd, saved->family, &saved->remote);
}

static int read_parameters(int fd, struct tcp_saved *saved) {
    int mss, timestamp;
    int result = socket_get(fd, IPPROTO_TCP, TCP_MAXSEG, &mss); /* in repair it is the clamp */

    if (result == 0) result = socket_get(fd, IPPROTO_TCP, TCP_TIMESTAMP, &timestamp);
    if (result == 0) result = tcp_window_get(fd, &saved->window);
    if (result < 0) return result;
    saved->mss_clamp = (uint32_t)mss;
    saved->timestamp = (uint32_t)timestamp;
    return 0;
}

/* Reads the end of both queues as the kernel counts them, with the FINs. Leaves no queue selected. */
static int read_ends(int fd, uint32_t *send_end, uint32_t *receive_end, uint32_t *not_acknowledged) {
    int length, result = tcp_queue_end(fd, TCP_SEND_QUEUE, send_end);

    if (result == 0) result = tcp_queue_end(fd, TCP_RECV_QUEUE, receive_end);
    if (result == 0) result = socket_set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
    if (result == 0 && ioctl(fd, SIOCOUTQ, &length)) result = -errno;
    if (result == 0) *not_acknowledged = (uint32_t)length;
    return result;
}

static int read_numbers(int fd, struct tcp_saved *saved) {
    uint32_t send_end, receive_end, not_acknowledged;
    int result = read_ends(fd, &send_end, &receive_end, &not_acknowledged);

    if (result < 0) return result;
    saved->send_length = not_acknowledged - (is_in(saved, FIN_NOT_ACKNOWLEDGED) ? 1 : 0);
    saved->snd_una = send_end - (saved->fin_sent ? 1 : 0) - saved->send_length;
    saved->rcv_nxt = receive_end - (saved->fin_received ? 1 : 0);
    /* The FIN moved the receive window by one; its right edge must stay where it was. */
    if (saved->fin_received && saved->window.rcv_wup == receive_end) {
        saved->window.rcv_wup--;
        saved->window.rcv_wnd++;
    }
    return 0;
}

static int read_queues(int fd, struct tcp_saved *saved) {
    int result = socket_set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE);

    if (result == 0) result = tcp_receive_queue_read(fd, &saved->receive_queue, &saved->receive_length);
    if (result == 0) result = socket_set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_SEND_QUEUE);
    if (result == 0) result = tcp_send_queue_read(fd, &saved->send_queue, saved->send_length);
    if (result == 0) result = socket_set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
    return result;
}

static int save_one(int fd, struct tcp_saved *saved, const char **step) {
    struct socket_record *record;
    int result;

    memset(saved, 0, sizeof *saved);
    *step = "lock";
    if ((result = check_lock(fd, &record)) < 0) return result;
    *step = "TCP_ULP";
    if ((result = check_kind(fd)) < 0) return result;
    *step = "TCP_INFO";
    if ((result = read_info(fd, saved)) < 0) return result;
    *step = "getpeername";
    if ((result = read_addresses(fd, saved)) < 0) return result;
    *step = "TCP_REPAIR";
    if ((result = tcp_repair_on(fd, record)) < 0) return result;
    saved->reuse_address = record->reuse_address;
    *step = "TCP_REPAIR_WINDOW";
    if ((result = read_parameters(fd, saved)) < 0) return result;
    *step = "TCP_QUEUE_SEQ";
    if ((result = read_numbers(fd, saved)) < 0) return result;
    *step = "MSG_PEEK";
    return read_queues(fd, saved);
}

/*
 * A segment that passed the filter just before the lock may still have been on its way through
 * another processor while its socket was read. Returns 1 where the socket is not as it was saved.
 */
static int has_changed(int fd, const struct tcp_saved *saved, const char **step) {
    uint32_t send_end, receive_end, not_acknowledged;
    struct socket_record *record;
    int result;

    *step = "lock";
    if ((result = check_lock(fd, &record)) < 0) return result;
    *step = "TCP_QUEUE_SEQ";
    if ((result = read_ends(fd, &send_end, &receive_end, &not_acknowledged)) < 0) return result;
    return receive_end != saved->rcv_nxt + (saved->fin_received ? 1 : 0) ||
           not_acknowledged != saved->send_length + (is_in(saved, FIN_NOT_ACKNOWLEDGED) ? 1 : 0);
}

static int unsave_one(int fd, const char **step) {
    struct socket_record *record;
    int result = socket_record_find(fd, &record);

    *step = "TCP_REPAIR";
    return record && record->in_repair ? tcp_repair_off(fd, TCP_REPAIR_OFF_NO_WP, record) : result;
}

int tcp_save(const int *fds, size_t count, struct tcp_saved *saved, struct failure *failure) {
    size_t done = 0, i;
    int result = 0;

    for (; result == 0 && done < count; done++) result = save_one(fds[done], &saved[done], &failure->step);
    i = done;
    for (size_t looked = 0; result == 0 && looked < count;) {
        result = has_changed(fds[looked], &saved[looked], &failure->step);
        i = ++looked;
        if (result != 1) continue;
        tcp_saved_clear(&saved[--looked]);
        result = save_one(fds[looked], &saved[looked], &failure->step);
    }
    if (result == 0) return 0;
    failure->index = i - 1;
    for (size_t undo = 0; undo < done; undo++) {
        const char *ignored;

        unsave_one(fds[undo], &ignored);
        tcp_saved_clear(&saved[undo]);
    }
    return result;
}

int tcp_unsave(const int *fds, size_t count, struct failure *failure) {
    return socket_each(fds, count, unsave_one, failure);
}

void tcp_saved_clear(struct tcp_saved *saved) {
    free(saved->send_queue);
    free(saved->receive_queue);
    memset(saved, 0, sizeof *saved);
}

/* Reviving. */

/* linux/tcp.h has these, but cannot be included together with netinet/tcp.h. */
#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45
#define TCP_DELACK_MAX_US 46
#endif

/* What TCP_MAXSEG takes (TCP_MIN_MSS and MAX_TCP_WINDOW of include/net/tcp.h). */
#define SEGMENT_SIZE_MIN 88
#define SEGMENT_SIZE_MAX 32767

/* Options that a program can set, and that the kernel's tcp_disconnect() (net/ipv4/tcp.c) resets. */
static const struct {
    int level, option;
} forgotten[] = {
    {IPPROTO_TCP, TCP_WINDOW_CLAMP},
    {IPPROTO_TCP, TCP_RTO_MIN_US},
    {IPPROTO_TCP, TCP_DELACK_MAX_US},
    {SOL_SOCKET, SO_PEEK_OFF},
};
#define FORGOTTEN (sizeof forgotten / sizeof forgotten[0])

struct forgotten_options {
    bool known[FORGOTTEN]; /* an older kernel does not have every one */
    int value[FORGOTTEN];
};

static void note_options(int fd, struct forgotten_options *noted) {
    for (size_t i = 0; i < FORGOTTEN; i++)
        noted->known[i] = socket_get(fd, forgotten[i].level, forgotten[i].option, &noted->value[i]) == 0;
}

/*
 * Setting TCP_WINDOW_CLAMP, even to what it is, lets the receive window start at its old size again
 * instead of growing from the first segments on.
 */
static int put_options_back(int fd, const struct forgotten_options *noted) {
    for (size_t i = 0; i < FORGOTTEN; i++) {
        int result = noted->known[i] ? socket_set(fd, forgotten[i].level, forgotten[i].option, noted->value[i]) : 0;

        if (result < 0) return result;
    }
    return 0;
}

/* Only a socket that is closed, or that was saved and locked ever since, may be overwritten. */
static int check_socket(int fd, const struct socket_record *record, bool *closed) {
    struct tcp_info info;
    int result = socket_tcp_info(fd, &info);

    if (result < 0) return result;
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

/* Sets what both ends agreed on in their handshake; the kernel takes it only while nothing was sent. */
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
static int queue_unsent(int fd, const uint8_t *queue, uint32_t length, struct socket_record *record) {
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

    record->is_revived = true;
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
    struct forgotten_options noted;
    bool closed = false;
    int result;

    failure->step = "peerHas";
    if (trimmed > saved->send_length) return -EINVAL;
    failure->step = "SO_GET_FILTER";
    if ((result = socket_lock_record(fd, &record)) < 0) return result;
    failure->step = "TCP_INFO";
    if ((result = check_socket(fd, record, &closed)) < 0) return result;
    if (!closed) note_options(fd, &noted);
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
    result = queue_unsent(fd, saved->send_queue + trimmed, saved->send_length - trimmed, record);
    if (result < 0) return result;
    failure->step = "TCP_WINDOW_CLAMP";
    if (closed) note_options(fd, &noted);
    return put_options_back(fd, &noted);
}

/* Releasing. */

/*
 * Opens the window as far as it was when it was saved, unless the peer has told a newer one since the revive: what it
 * sends is received already.
 */
static int open_window(int fd, const struct socket_record *record) {
    struct tcp_repair_window window;
    int result = tcp_window_get(fd, &window);

    if (result < 0) return result;
    if (window.snd_wnd || window.snd_wl1 != record->window.snd_wl1) return 0;
    window.snd_wnd = record->window.snd_wnd;
    return tcp_window_set(fd, &window);
}

/* Switching Nagle's algorithm off sends what waits; nothing else does without new data or an ACK. */
static int push(int fd) {
    int unsent, no_delay, result;

    if (ioctl(fd, SIOCOUTQNSD, &unsent)) return -errno;
    if (unsent == 0) return 0;
    result = socket_get(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay);
    if (result == 0) result = socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (result == 0 && !no_delay) result = socket_set(fd, IPPROTO_TCP, TCP_NODELAY, 0);
    return result;
}

static int release_one(int fd, const char **step) {
    struct socket_record *record;
    int result;

    *step = "SO_DETACH_FILTER";
    if ((result = socket_lock_record(fd, &record)) < 0) return result;
    if ((result = socket_unlock_one(fd, record)) < 0) return result;
    *step = "TCP_REPAIR";
    if (!record->in_repair && (result = tcp_repair_on(fd, record)) < 0) return result;
    *step = "TCP_REPAIR_WINDOW";
    if (record->is_revived && (result = open_window(fd, record)) < 0) return result;
    *step = "TCP_REPAIR";
    if ((result = tcp_repair_off(fd, TCP_REPAIR_OFF, record)) < 0) return result;
    *step = "TCP_NODELAY";
    if ((result = push(fd)) < 0) return result;
    *step = "shutdown";
    if (record->fin_sent && shutdown(fd, SHUT_WR) && errno != ENOTCONN) return -errno; /* it was reset meanwhile */
    socket_record_drop(record);
    return 0;
}

int tcp_release(const int *fds, size_t count, struct failure *failure) {
    return socket_each(fds, count, release_one, failure);
}

void tcp_close_silently(const int *fds, size_t count) {
    for (size_t i = 0; i < count; i++) {
        socket_record_forget(fds[i]);
        /* This fails for UDP and listening sockets, which close without a packet anyway. */
        socket_set(fds[i], IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
        close(fds[i]);
    }
}

/* Connecting again. */

static int is_closed(int fd) {
    struct tcp_info info;
    int result = socket_tcp_info(fd, &info);

    return result < 0 ? result : info.tcpi_state == TCP_CLOSE;
}

/* The flag is the open file's, and so the program's: it is put back. */
static int connect_without_waiting(int fd, const union socket_address *remote) {
    int flags = fcntl(fd, F_GETFL), result = 0;

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
    if (connect(fd, &remote->any, socket_address_length(remote)) && errno != EINPROGRESS) result = -errno;
    return fcntl(fd, F_SETFL, flags) < 0 ? -errno : result;
}

int tcp_connect_again(int fd, const union socket_address *local, const union socket_address *remote,
                      const char **step) {
    struct socket_record record = {0};
    int result;

    *step = "TCP_INFO";
    if ((result = is_closed(fd)) <= 0) return result;
    *step = "TCP_REPAIR";
    if ((result = tcp_repair_on(fd, &record)) < 0) return result;
    *step = "connect(AF_UNSPEC)"; /* CRIU has shut it down */
    if ((result = tcp_disconnect(fd)) < 0) return result;
    *step = "bind";
    if ((result = tcp_bind(fd, local)) < 0) return result;
    *step = "TCP_REPAIR";
    if ((result = tcp_repair_off(fd, TCP_REPAIR_OFF_NO_WP, &record)) < 0) return result;
    *step = "connect";
    return connect_without_waiting(fd, remote);
}
