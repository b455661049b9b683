#include "tcp/user_timeout.h"

#include "socket/lock.h"
#include "socket/socket.h"
#include "tcp/repair.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

/* The time that tcp_retries2 = 15 stands for (tcp_model_timeout() in net/ipv4/tcp_timer.c). */
#define USUAL_TIMEOUT_MS 924600u
#define LONGEST_TIMEOUT_MS INT32_MAX

/* Room for one small segment; never more than the other end has offered before. */
#define OPENED_WINDOW 536u

int tcp_user_timeouts(const int *fds, size_t count, uint32_t *timeouts, struct failure *failure) {
    for (size_t i = 0; i < count; i++) {
        int value, result = socket_get(fds[i], IPPROTO_TCP, TCP_USER_TIMEOUT, &value);

        *failure = (struct failure){.index = i, .step = "TCP_USER_TIMEOUT"};
        if (result < 0) return result;
        timeouts[i] = (uint32_t)value;
    }
    return 0;
}

int tcp_set_user_timeouts(const int *fds, size_t count, const uint32_t *timeouts, struct failure *failure) {
    int first = 0;

    for (size_t i = 0; i < count; i++) {
        int result = socket_set(fds[i], IPPROTO_TCP, TCP_USER_TIMEOUT, (int)timeouts[i]);

        if (result == 0 || first) continue;
        first = result;
        *failure = (struct failure){.index = i, .step = "TCP_USER_TIMEOUT"};
    }
    return first;
}

/* The time from when an idle connection heard last to when keepalive ends it; 0 without keepalive. */
static int keepalive_time(int fd, uint64_t *milliseconds) {
    int on, idle, interval, count, result = socket_get(fd, SOL_SOCKET, SO_KEEPALIVE, &on);

    *milliseconds = 0;
    if (result == 0) result = socket_get(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle);
    if (result == 0) result = socket_get(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval);
    if (result == 0) result = socket_get(fd, IPPROTO_TCP, TCP_KEEPCNT, &count);
    if (result < 0 || !on) return result;
    *milliseconds = ((uint64_t)idle + (uint64_t)interval * (uint64_t)count) * 1000;
    return 0;
}

int tcp_extend_user_timeouts(const int *fds, size_t count, uint32_t lease_ms, const uint32_t *own,
                             struct failure *failure) {
    for (size_t i = 0; i < count; i++) {
        uint64_t timeout, keepalive;
        int result = keepalive_time(fds[i], &keepalive);

        *failure = (struct failure){.index = i, .step = "SO_KEEPALIVE"};
        if (result < 0) return result;
        /* Keepalive counts from what was heard last, which was before the lease. */
        timeout = lease_ms + (own[i] ? own[i] : USUAL_TIMEOUT_MS) + keepalive;
        if (timeout > LONGEST_TIMEOUT_MS) timeout = LONGEST_TIMEOUT_MS;
        failure->step = "TCP_USER_TIMEOUT";
        result = socket_set(fds[i], IPPROTO_TCP, TCP_USER_TIMEOUT, (int)timeout);
        if (result < 0) return result;
    }
    return 0;
}

/*
 * Where the kernel's struct tcp_info (include/uapi/linux/tcp.h) has tcpi_snd_wnd, which the C library's does not have
 * yet; and <linux/tcp.h> cannot be included together with <netinet/tcp.h>.
 */
#define INFO_SEND_WINDOW 228

int tcp_is_window_shut(int fd, bool *shut) {
    uint8_t info[INFO_SEND_WINDOW + sizeof(uint32_t)] = {0};
    int result = socket_get_bytes(fd, IPPROTO_TCP, TCP_INFO, info, sizeof info);
    uint32_t window;

    memcpy(&window, info + INFO_SEND_WINDOW, sizeof window);
    *shut = window == 0;
    return result;
}

static int open_one(int fd, const char **step) {
    struct tcp_repair_window window;
    struct socket_record *record;
    int result, off;

    *step = "SO_GET_FILTER";
    if ((result = socket_lock_record(fd, &record)) < 0) return result;
    *step = "TCP_REPAIR";
    if ((result = tcp_repair_on(fd, record)) < 0) return result;
    *step = "TCP_REPAIR_WINDOW";
    result = tcp_window_get(fd, &window);
    if (result == 0 && window.snd_wnd == 0) {
        window.snd_wnd = window.max_window < OPENED_WINDOW ? window.max_window : OPENED_WINDOW;
        result = tcp_window_set(fd, &window);
    }
    off = tcp_repair_off(fd, TCP_REPAIR_OFF_NO_WP, record);
    return result < 0 ? result : off;
}

int tcp_open_windows(const int *fds, size_t count, struct failure *failure) {
    for (size_t i = 0; i < count; i++) {
        int result = open_one(fds[i], &failure->step);

        failure->index = i;
        if (result < 0) return result;
    }
    return 0;
}
