/* Calls that wait for descriptors. */
#include "shim.h"

#define MILLISECOND INT64_C(1000000)

static int64_t from_milliseconds(int timeout) { return timeout < 0 ? -1 : timeout * MILLISECOND; }

/* Rounded up: never too early. */
static int milliseconds_left(const struct deadline *deadline) {
    int64_t left = deadline_left(deadline);

    return left < 0 ? -1 : (int)((left + MILLISECOND - 1) / MILLISECOND);
}

int shim_poll(struct pollfd *fds, nfds_t count, int timeout) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_milliseconds(timeout));
    int result = libc.poll(fds, count, timeout);

    while (result < 0 && attempt_again(&attempt)) result = libc.poll(fds, count, milliseconds_left(&deadline));
    return result;
}

int shim___poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room) {
    if (count > room / sizeof *fds) return libc.__poll_chk(fds, count, timeout, room);
    return shim_poll(fds, count, timeout);
}

int shim_epoll_wait(int fd, struct epoll_event *events, int room, int timeout) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_milliseconds(timeout));
    int result = libc.epoll_wait(fd, events, room, timeout);

    while (result < 0 && attempt_again(&attempt))
        result = libc.epoll_wait(fd, events, room, milliseconds_left(&deadline));
    return result;
}

int shim_epoll_pwait(int fd, struct epoll_event *events, int room, int timeout, const sigset_t *mask) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_milliseconds(timeout));
    int result = libc.epoll_pwait(fd, events, room, timeout, mask);

    while (result < 0 && attempt_again(&attempt))
        result = libc.epoll_pwait(fd, events, room, milliseconds_left(&deadline), mask);
    return result;
}

int shim_epoll_pwait2(int fd, struct epoll_event *events, int room, const struct timespec *timeout,
                      const sigset_t *mask) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_timespec(timeout));
    struct timespec rest;
    int result = libc.epoll_pwait2(fd, events, room, timeout, mask);

    while (result < 0 && attempt_again(&attempt))
        result = libc.epoll_pwait2(fd, events, room, deadline_rest(&deadline, &rest), mask);
    return result;
}
