/* tcp_release_all and tcp_close_silently: how a socket leaves our hands. */

#include "socket/lock.h"
#include "tcp/repair.h"
#include "tcp/tcp.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * The window as it was saved, unless the peer has told a newer one since the revive: its segments
 * are received already.
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
    if ((result = socket_unlock(fd, record)) < 0) return result;
    *step = "TCP_REPAIR";
    if (!record->in_repair && (result = tcp_repair_on(fd, record)) < 0) return result;
    *step = "TCP_REPAIR_WINDOW";
    if (record->held && (result = open_window(fd, record)) < 0) return result;
    *step = "TCP_REPAIR";
    if ((result = tcp_repair_off(fd, TCP_REPAIR_OFF, record)) < 0) return result;
    *step = "TCP_NODELAY";
    if ((result = push(fd)) < 0) return result;
    *step = "shutdown";
    if (record->fin_sent && shutdown(fd, SHUT_WR) && errno != ENOTCONN) return -errno; /* it was reset meanwhile */
    socket_record_drop(record->cookie);
    return 0;
}

int tcp_release_all(const int *fds, size_t count, struct failure *failure) {
    int first = 0;

    for (size_t i = 0; i < count; i++) {
        const char *step;
        int result = release_one(fds[i], &step);

        if (result == 0 || first) continue;
        first = result;
        *failure = (struct failure){.index = i, .step = step};
    }
    return first;
}

void tcp_close_silently(const int *fds, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t cookie;

        if (socket_cookie(fds[i], &cookie) == 0) socket_record_drop(cookie);
        /* Fails for UDP and listening sockets, which close without a packet anyway. */
        socket_set(fds[i], IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
        close(fds[i]);
    }
}
