/*
 * Calls that wait: for descriptors, time, semaphores and signals.
 *
 * Some of them a freeze ends with EINTR. Others go on by themselves (signal(7)), but a restore on another host ends
 * every wait that has a relative timeout in the kernel's restart block, which cannot be carried; and libc's sleep and
 * usleep would pass that on as a shorter sleep. select, pselect and ppoll are not here: what is left of their time is
 * in the program's memory, and they start again after anything (ERESTARTNOHAND).
 */
#include <threads.h>

#include "attempt.h"
#include "shim.h"

#define MILLISECOND INT64_C(1000000)
#define SECOND INT64_C(1000000000)
/* The longest tick that Linux can be built with (CONFIG_HZ_100): the coarse clock may be behind by as much. */
#define TICK INT64_C(10000000)

/* What is left of a relative timeout when a call starts again. Nanoseconds; negative: no end. Never too short, too long by
 * at most two ticks of the coarse clock: its reading is what a call can afford each time. */
struct deadline {
    int64_t budget;
    int64_t started;
};

/* In the vDSO, without a look at the hardware clock. */
static int64_t coarse_now(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static struct deadline deadline_start(int64_t budget) {
    return (struct deadline){.budget = budget, .started = budget > 0 ? coarse_now() : 0};
}

/*
 * Also right where the clock jumped, as it does between two hosts without a time namespace: then all is left, or
 * nothing.
 */
static int64_t deadline_left(const struct deadline *deadline) {
    int64_t elapsed, left;

    if (deadline->budget <= 0) return deadline->budget;
    elapsed = coarse_now() - deadline->started - TICK;
    if (elapsed < 0) elapsed = 0;
    left = deadline->budget - elapsed;
    return left > 0 ? left : 0;
}

/* What is left as calls take it, in *rest; NULL: no end. */
static const struct timespec *deadline_rest(const struct deadline *deadline, struct timespec *rest) {
    int64_t left = deadline_left(deadline);

    if (left < 0) return NULL;
    *rest = (struct timespec){.tv_sec = left / SECOND, .tv_nsec = left % SECOND};
    return rest;
}

/* Negative for NULL; saturated. What is not a valid time is 0: libc's own call then complains. */
static int64_t from_timespec(const struct timespec *time) {
    if (!time) return -1;
    if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= SECOND) return 0;
    if (time->tv_sec >= INT64_MAX / SECOND) return INT64_MAX;
    return time->tv_sec * SECOND + time->tv_nsec;
}

static int64_t from_milliseconds(int timeout) { return timeout < 0 ? -1 : timeout * MILLISECOND; }

/* Rounded up: never too early. */
static int milliseconds_left(const struct deadline *deadline) {
    int64_t left = deadline_left(deadline);

    return left < 0 ? -1 : (int)((left + MILLISECOND - 1) / MILLISECOND);
}

int shim_poll(struct pollfd *fds, nfds_t count, int timeout) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_milliseconds(timeout));

    return ATTEMPT_THEN(&attempt, libc.poll(fds, count, timeout), libc.poll(fds, count, milliseconds_left(&deadline)));
}

int shim___poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room) {
    if (count > room / sizeof *fds) return libc.__poll_chk(fds, count, timeout, room);
    return shim_poll(fds, count, timeout);
}

int shim_epoll_wait(int fd, struct epoll_event *events, int room, int timeout) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_milliseconds(timeout));

    return ATTEMPT_THEN(&attempt, libc.epoll_wait(fd, events, room, timeout),
                        libc.epoll_wait(fd, events, room, milliseconds_left(&deadline)));
}

int shim_epoll_pwait(int fd, struct epoll_event *events, int room, int timeout, const sigset_t *mask) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_milliseconds(timeout));

    return ATTEMPT_THEN(&attempt, libc.epoll_pwait(fd, events, room, timeout, mask),
                        libc.epoll_pwait(fd, events, room, milliseconds_left(&deadline), mask));
}

int shim_epoll_pwait2(int fd, struct epoll_event *events, int room, const struct timespec *timeout,
                      const sigset_t *mask) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_timespec(timeout));
    struct timespec rest;

    return ATTEMPT_THEN(&attempt, libc.epoll_pwait2(fd, events, room, timeout, mask),
                        libc.epoll_pwait2(fd, events, room, deadline_rest(&deadline, &rest), mask));
}

/* One object may be both times of a call (clock_nanosleep(3p)). */
int shim_nanosleep(const struct timespec *time, struct timespec *left) {
    struct attempt attempt = attempt_begin();
    struct timespec rest;
    int result = ATTEMPT_THEN(&attempt, libc.nanosleep(time, &rest), libc.nanosleep(&rest, &rest));

    if (result < 0 && errno == EINTR && left) *left = rest;
    return result;
}

/* Returns an error number and leaves errno alone. */
int shim_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left) {
    struct attempt attempt = attempt_begin();
    struct timespec rest;
    int result;

    if (flags & TIMER_ABSTIME) {
        do result = libc.clock_nanosleep(clock, flags, time, left);
        while (result == EINTR && attempt_frozen(&attempt));
        return result;
    }
    result = libc.clock_nanosleep(clock, flags, time, &rest);
    while (result == EINTR && attempt_frozen(&attempt)) result = libc.clock_nanosleep(clock, flags, &rest, &rest);
    if (result == EINTR && left) *left = rest;
    return result;
}

unsigned int shim_sleep(unsigned int seconds) {
    struct timespec time = {.tv_sec = seconds};

    return shim_nanosleep(&time, &time) < 0 ? (unsigned int)time.tv_sec : 0;
}

int shim_usleep(useconds_t microseconds) {
    struct timespec time = {.tv_sec = microseconds / 1000000, .tv_nsec = microseconds % 1000000 * 1000};

    return shim_nanosleep(&time, NULL);
}

/* -1: a handler ran; -2: anything else is wrong. errno is none of it. */
int shim_thrd_sleep(const struct timespec *time, struct timespec *left) {
    int result = shim_clock_nanosleep(CLOCK_REALTIME, 0, time, left);

    if (result == 0) return 0;
    return result == EINTR ? -1 : -2;
}

int shim_sem_timedwait(sem_t *semaphore, const struct timespec *until) {
    struct attempt attempt = attempt_begin();

    return ATTEMPT(&attempt, libc.sem_timedwait(semaphore, until));
}

int shim_sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until) {
    struct attempt attempt = attempt_begin();

    return ATTEMPT(&attempt, libc.sem_clockwait(semaphore, clock, until));
}

int shim_sigwaitinfo(const sigset_t *set, siginfo_t *info) {
    struct attempt attempt = attempt_begin();

    return ATTEMPT(&attempt, libc.sigwaitinfo(set, info));
}

int shim_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_timespec(timeout));
    struct timespec rest;

    return ATTEMPT_THEN(&attempt, libc.sigtimedwait(set, info, timeout),
                        libc.sigtimedwait(set, info, deadline_rest(&deadline, &rest)));
}

int shim_semop(int id, struct sembuf *operations, size_t count) {
    struct attempt attempt = attempt_begin();

    return ATTEMPT(&attempt, libc.semop(id, operations, count));
}

int shim_semtimedop(int id, struct sembuf *operations, size_t count, const struct timespec *timeout) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_timespec(timeout));
    struct timespec rest;

    return ATTEMPT_THEN(&attempt, libc.semtimedop(id, operations, count, timeout),
                        libc.semtimedop(id, operations, count, deadline_rest(&deadline, &rest)));
}
