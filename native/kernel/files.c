#include "kernel/files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioctl.h>
#include <linux/types.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

int pipe_pair(int ends[2]) { return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0; }

int seqpacket_pair(int ends[2]) { return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0; }

int open_pty(uint16_t rows, uint16_t columns, int *master, int *slave) {
    const int flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
    const int locked = 0;
    int result, other;
    int first = posix_openpt(flags);

    if (first < 0) return -errno;
    if (ioctl(first, TIOCSPTLCK, &locked) < 0) goto fail;
    /* The master opens it, which is right also where /dev/pts is another instance than the master's. */
    other = ioctl(first, TIOCGPTPEER, flags);
    if (other < 0) goto fail;
    result = set_window_size(first, rows, columns);
    if (result < 0) {
        close(other);
        close(first);
        return result;
    }
    *master = first;
    *slave = other;
    return 0;
fail:
    result = -errno;
    close(first);
    return result;
}

int set_window_size(int fd, uint16_t rows, uint16_t columns) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};

    return ioctl(fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

/* From <linux/timerfd.h>, which cannot be included together with <sys/timerfd.h>. */
#define TFD_IOC_SET_TICKS _IOW('T', 0, __u64)

enum { SECOND = 1000000000 };

struct timespec clock_time(int64_t nanoseconds) {
    return (struct timespec){.tv_sec = nanoseconds / SECOND, .tv_nsec = nanoseconds % SECOND};
}

int set_timer(int fd, const struct timer_setting *setting) {
    struct itimerspec time = {.it_value = clock_time(setting->end_ns), .it_interval = clock_time(setting->interval_ns)};

    if (timerfd_settime(fd, setting->flags, &time, NULL)) return -errno;
    /* Setting a timer forgets its expirations. The kernel takes no 0 for them. */
    if (setting->expirations > 0 && ioctl(fd, TFD_IOC_SET_TICKS, &setting->expirations)) return -errno;
    return 0;
}

int64_t clock_now(int clock) {
    struct timespec now;

    if (clock_gettime(clock, &now)) return -errno;
    return now.tv_sec * (int64_t)SECOND + now.tv_nsec;
}

int rename_exclusive(const char *from, const char *to) {
    return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) < 0 ? -errno : 0;
}

int poll_events(int fd, short *events) {
    struct pollfd one = {.fd = fd, .events = POLLIN | POLLOUT};

    if (poll(&one, 1, 0) < 0) return -errno;
    *events = one.revents;
    return 0;
}
