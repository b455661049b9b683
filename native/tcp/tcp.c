/* tcp_save_all and its undo. */

#include "socket/lock.h"
#include "tcp/queue.h"
#include "tcp/repair.h"
#include "tcp/tcp.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define IN(state) (1u << (state))
#define FIN_RECEIVED (IN(TCP_CLOSE_WAIT) | IN(TCP_CLOSING) | IN(TCP_LAST_ACK))
#define FIN_NOT_ACKNOWLEDGED (IN(TCP_FIN_WAIT1) | IN(TCP_CLOSING) | IN(TCP_LAST_ACK))
#define FIN_SENT (FIN_NOT_ACKNOWLEDGED | IN(TCP_FIN_WAIT2))
#define SAVEABLE (IN(TCP_ESTABLISHED) | FIN_SENT | FIN_RECEIVED)

static bool is_in(const struct tcp_saved *saved, unsigned states) { return (IN(saved->state) & states) != 0; }

static int check_lock(int fd, struct socket_record **record) {
    uint64_t cookie;
    int result = socket_cookie(fd, &cookie);

    if (result < 0) return result;
    *record = socket_record_find(cookie);
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
    struct tcp_info info = {0};
    socklen_t length = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length)) return -errno;
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

/* The end of both queues as the kernel counts them: with the FINs. Leaves no queue selected. */
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
 * another processor while its socket was read. 1: the socket is not as it was saved.
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

static int unsave_one(int fd) {
    struct socket_record *record;
    uint64_t cookie;
    int result = socket_cookie(fd, &cookie);

    if (result < 0) return result;
    record = socket_record_find(cookie);
    return record && record->in_repair ? tcp_repair_off(fd, TCP_REPAIR_OFF_NO_WP, record) : 0;
}

int tcp_save_all(const int *fds, size_t count, struct tcp_saved *saved, struct failure *failure) {
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
        unsave_one(fds[undo]);
        tcp_saved_clear(&saved[undo]);
    }
    return result;
}

int tcp_unsave_all(const int *fds, size_t count, struct failure *failure) {
    int first = 0;

    for (size_t i = 0; i < count; i++) {
        int result = unsave_one(fds[i]);

        if (result == 0 || first) continue;
        first = result;
        *failure = (struct failure){.index = i, .step = "TCP_REPAIR"};
    }
    return first;
}

void tcp_saved_clear(struct tcp_saved *saved) {
    free(saved->send_queue);
    free(saved->receive_queue);
    memset(saved, 0, sizeof *saved);
}
