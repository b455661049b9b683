#include "kernel/timer.h"

#include <errno.h>
#include <linux/ioctl.h>
#include <linux/types.h>
#include <sys/ioctl.h>
#include <sys/timerfd.h>
#include <time.h>

/* include/uapi/linux/timerfd.h, which does not go together with <sys/timerfd.h>. */
#define TFD_IOC_SET_TICKS _IOW('T', 0, __u64)

enum { SECOND = 1000000000 };

static struct timespec timespec_of(int64_t nanoseconds) {
    return (struct timespec){.tv_sec = nanoseconds / SECOND, .tv_nsec = nanoseconds % SECOND};
}

int timer_set(int fd, const struct timer_setting *setting) {
    struct itimerspec time = {.it_value = timespec_of(setting->end_ns),
                              .it_interval = timespec_of(setting->interval_ns)};

    if (timerfd_settime(fd, setting->flags, &time, NULL)) return -errno;
    /* Setting a timer forgets them; the kernel takes no 0. */
    if (setting->expirations > 0 && ioctl(fd, TFD_IOC_SET_TICKS, &setting->expirations)) return -errno;
    return 0;
}

int64_t timer_clock_now(int clock) {
    struct timespec now;

    if (clock_gettime(clock, &now)) return -errno;
    return now.tv_sec * (int64_t)SECOND + now.tv_nsec;
}
