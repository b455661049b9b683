/*
 * Calls that wait for descriptors.
 *
 * A frozen socket is not reported. poll and select wait for its thaw first, and where their time ends before that they
 * look at the other descriptors only. epoll has its set in the kernel: whoever sets freeze words freezes the whole
 * program around it (a cgroup, or ptrace), so nothing waits there.
 */
#include "shim.h"

#define MILLISECOND INT64_C(1000000)

static bool any_frozen(void) { return unlikely(atomic_load_explicit(&signs->frozen, memory_order_acquire)); }

static int64_t from_milliseconds(int timeout) { return timeout < 0 ? -1 : timeout * MILLISECOND; }

/* Rounded up: never too early. */
static int milliseconds_left(const struct deadline *deadline) {
    int64_t left = deadline_left(deadline);

    return left < 0 ? -1 : (int)((left + MILLISECOND - 1) / MILLISECOND);
}

static int interrupted(void) {
    errno = EINTR;
    return -1;
}

static int poll_others(struct pollfd *fds, nfds_t count) {
    int ready = 0;

    for (nfds_t i = 0; i < count; i++) {
        fds[i].revents = 0;
        if (!is_frozen(fds[i].fd) && libc.poll(&fds[i], 1, 0) > 0) ready++;
    }
    return ready;
}

/* True: no descriptor is frozen, and the call goes on. Else *result is the call's. */
static bool await_polled(struct pollfd *fds, nfds_t count, const struct deadline *deadline, int *result) {
    for (nfds_t i = 0; i < count; i++) {
        int waited = wait_thaw(fds[i].fd, deadline);
        if (waited == 0) continue;
        *result = waited == -EINTR ? interrupted() : poll_others(fds, count);
        return false;
    }
    return true;
}

int shim_poll(struct pollfd *fds, nfds_t count, int timeout) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_milliseconds(timeout));
    int result;

    if (any_frozen()) {
        if (!await_polled(fds, count, &deadline, &result)) return result;
        timeout = milliseconds_left(&deadline);
    }
    result = libc.poll(fds, count, timeout);
    while (result < 0 && attempt_again(&attempt)) result = libc.poll(fds, count, milliseconds_left(&deadline));
    return result;
}

int shim___poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room) {
    if (count > room / sizeof *fds) return libc.__poll_chk(fds, count, timeout, room);
    return shim_poll(fds, count, timeout);
}

/* The remaining time, in *rest; NULL where there is no end. */
static const struct timespec *rest_of(const struct deadline *deadline, struct timespec *rest) {
    int64_t left = deadline_left(deadline);

    *rest = to_timespec(left);
    return left < 0 ? NULL : rest;
}

int shim_ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_timespec(timeout));
    struct timespec rest;
    int result;

    if (any_frozen()) {
        if (!await_polled(fds, count, &deadline, &result)) return result;
        timeout = rest_of(&deadline, &rest);
    }
    result = libc.ppoll(fds, count, timeout, mask);
    while (result < 0 && attempt_again(&attempt)) result = libc.ppoll(fds, count, rest_of(&deadline, &rest), mask);
    return result;
}

int shim___ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask,
                     size_t room) {
    if (count > room / sizeof *fds) return libc.__ppoll_chk(fds, count, timeout, mask, room);
    return shim_ppoll(fds, count, timeout, mask);
}

static bool in_set(int fd, const fd_set *set) { return set && FD_ISSET(fd, set); }

static void leave_out(int fd, fd_set *set) {
    if (set) FD_CLR(fd, set);
}

/* 0: nothing in the sets is frozen (any more); -EINTR; -ETIMEDOUT: what is frozen is no longer in the sets. */
static int await_selected(int count, fd_set *in, fd_set *out, fd_set *urgent, const struct deadline *deadline) {
    int result = 0;

    for (int fd = 0; fd < count && fd < FD_SETSIZE; fd++) {
        if (!in_set(fd, in) && !in_set(fd, out) && !in_set(fd, urgent)) continue;
        if (wait_thaw(fd, deadline) == -EINTR) return -EINTR;
        if (!is_frozen(fd)) continue;
        leave_out(fd, in);
        leave_out(fd, out);
        leave_out(fd, urgent);
        result = -ETIMEDOUT;
    }
    return result;
}

/* Linux counts the program's timeout down by itself, so the call can simply be done again. */
int shim_select(int count, fd_set *in, fd_set *out, fd_set *urgent, struct timeval *timeout) {
    struct attempt attempt = attempt_begin();
    int result;

    if (any_frozen()) {
        struct timespec budget = {0};
        if (timeout) budget = (struct timespec){timeout->tv_sec, timeout->tv_usec * 1000};
        struct deadline deadline = deadline_start(from_timespec(timeout ? &budget : NULL));
        if (await_selected(count, in, out, urgent, &deadline) == -EINTR) return interrupted();
        if (timeout) {
            int64_t left = deadline_left(&deadline);
            *timeout = (struct timeval){left / 1000 / 1000000, left / 1000 % 1000000};
        }
    }
    do result = libc.select(count, in, out, urgent, timeout);
    while (result < 0 && attempt_again(&attempt));
    return result;
}

int shim_pselect(int count, fd_set *in, fd_set *out, fd_set *urgent, const struct timespec *timeout,
                 const sigset_t *mask) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_timespec(timeout));
    struct timespec rest;
    int result;

    if (any_frozen()) {
        if (await_selected(count, in, out, urgent, &deadline) == -EINTR) return interrupted();
        timeout = rest_of(&deadline, &rest);
    }
    result = libc.pselect(count, in, out, urgent, timeout, mask);
    while (result < 0 && attempt_again(&attempt))
        result = libc.pselect(count, in, out, urgent, rest_of(&deadline, &rest), mask);
    return result;
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
        result = libc.epoll_pwait2(fd, events, room, rest_of(&deadline, &rest), mask);
    return result;
}
