#include "attempt.h"

#define SECOND INT64_C(1000000000)
/* The longest tick that Linux can be built with (CONFIG_HZ_100): the coarse clock may be behind by as much. */
#define TICK INT64_C(10000000)

static _Atomic uint32_t no_freezes;
_Atomic uint32_t *freezes = &no_freezes;

/* In the vDSO, without a look at the hardware clock. */
int64_t coarse_now(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

/* Also right where the clock jumped, as it does between two hosts without a time namespace: then all is left, or nothing. */
int64_t deadline_left(const struct deadline *deadline) {
    int64_t elapsed, left;

    if (deadline->budget <= 0) return deadline->budget;
    elapsed = coarse_now() - deadline->started - TICK;
    if (elapsed < 0) elapsed = 0;
    left = deadline->budget - elapsed;
    return left > 0 ? left : 0;
}

const struct timespec *deadline_rest(const struct deadline *deadline, struct timespec *rest) {
    int64_t left = deadline_left(deadline);

    if (left < 0) return NULL;
    *rest = (struct timespec){.tv_sec = left / SECOND, .tv_nsec = left % SECOND};
    return rest;
}

int64_t from_timespec(const struct timespec *time) {
    if (!time) return -1;
    if (time->tv_sec < 0 || time->tv_nsec < 0 || time->tv_nsec >= SECOND) return 0;
    if (time->tv_sec >= INT64_MAX / SECOND) return INT64_MAX;
    return time->tv_sec * SECOND + time->tv_nsec;
}
