/*
 * Calls that wait for time, semaphores and signals.
 *
 * Most go on by themselves after a freeze (signal(7)). But a restore on another host ends every wait with a relative
 * timeout by EINTR, because the kernel's restart block cannot be carried; and libc's sleep and usleep would pass
 * that on as a shorter sleep.
 */
#include <threads.h>

#include "shim.h"

int shim_nanosleep(const struct timespec *time, struct timespec *left) {
    struct attempt attempt = attempt_begin();
    struct timespec rest;
    int result = libc.nanosleep(time, &rest);

    while (result < 0 && attempt_again(&attempt)) {
        struct timespec again = rest;
        result = libc.nanosleep(&again, &rest);
    }
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
    while (result == EINTR && attempt_frozen(&attempt)) {
        struct timespec again = rest;
        result = libc.clock_nanosleep(clock, flags, &again, &rest);
    }
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
    int result;

    do result = libc.sem_timedwait(semaphore, until);
    while (result < 0 && attempt_again(&attempt));
    return result;
}

int shim_sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *until) {
    struct attempt attempt = attempt_begin();
    int result;

    do result = libc.sem_clockwait(semaphore, clock, until);
    while (result < 0 && attempt_again(&attempt));
    return result;
}

int shim_sigwaitinfo(const sigset_t *set, siginfo_t *info) {
    struct attempt attempt = attempt_begin();
    int result;

    do result = libc.sigwaitinfo(set, info);
    while (result < 0 && attempt_again(&attempt));
    return result;
}

int shim_sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_timespec(timeout));
    struct timespec rest;
    int result = libc.sigtimedwait(set, info, timeout);

    while (result < 0 && attempt_again(&attempt))
        result = libc.sigtimedwait(set, info, deadline_rest(&deadline, &rest));
    return result;
}

int shim_semop(int id, struct sembuf *operations, size_t count) {
    struct attempt attempt = attempt_begin();
    int result;

    do result = libc.semop(id, operations, count);
    while (result < 0 && attempt_again(&attempt));
    return result;
}

int shim_semtimedop(int id, struct sembuf *operations, size_t count, const struct timespec *timeout) {
    struct attempt attempt = attempt_begin();
    struct deadline deadline = deadline_start(from_timespec(timeout));
    struct timespec rest;
    int result = libc.semtimedop(id, operations, count, timeout);

    while (result < 0 && attempt_again(&attempt))
        result = libc.semtimedop(id, operations, count, deadline_rest(&deadline, &rest));
    return result;
}
