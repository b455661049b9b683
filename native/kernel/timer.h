/* Timers of timerfd_create(2), set from another process. */
#pragma once

#include <stdint.h>

struct timer_setting {
    int flags;                   /* of timerfd_settime(2) */
    int64_t end_ns, interval_ns; /* on the timer's clock, as the caller's time namespace has it */
    uint64_t expirations;        /* that nobody has read yet */
};

/** 0 or -errno. */
int timer_set(int fd, const struct timer_setting *setting);

/** A clock of clock_gettime(2), in the caller's time namespace: nanoseconds, or -errno. */
int64_t timer_clock_now(int clock);
