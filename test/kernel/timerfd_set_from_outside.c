/* A timerfd set from another process ends at that process's time, and takes back the expirations that nobody has read.
 *
 * Source: timerfd_settime() in fs/timerfd.c turns an absolute time of the caller's time namespace into one of the first
 * (timens_ktime_to_host()) and forgets the count of expirations, which timerfd_ioctl() sets again (TFD_IOC_SET_TICKS).
 * Relied on by: restore, which sets absolute timers of the program again, whose time namespace is another than ours. */
#include "harness/result.h"

#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define TFD_IOC_SET_TICKS _IOW('T', 0, uint64_t)

enum { AHEAD_S = 1000, WAIT_MS = 200 };

static int64_t now_ms(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void write_all(int fd, const void *data, size_t size) {
    expect(write(fd, data, size) == (ssize_t)size, "a pipe is short");
}

/* Its clock is ahead. Tells when its timer ended, and how often. */
static void own_time(int told) {
    struct itimerspec far = {.it_value = {.tv_sec = 1000000}};
    int fd = need(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
    int64_t seen[3] = {fd, now_ms(), 0};
    uint64_t count;

    need(timerfd_settime(fd, TFD_TIMER_ABSTIME, &far, NULL));
    write_all(told, seen, sizeof(seen));
    need(read(fd, &count, sizeof(count)));
    expect(count == 7, "it tells of %llu expirations", (unsigned long long)count);
    need(read(fd, &count, sizeof(count)));
    seen[1] = now_ms();
    seen[2] = (int64_t)count;
    write_all(told, seen, sizeof(seen));
}

static void body(void) {
    struct itimerspec setting = {0};
    int told[2], pidfd, fd, offsets;
    int64_t seen[3], begin, own;
    uint64_t ticks = 7;
    pid_t child;

    need(pipe(told));
    need(unshare(CLONE_NEWTIME));
    offsets = need(open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC));
    need(dprintf(offsets, "monotonic %d 0\n", AHEAD_S));
    close(offsets);
    child = need(fork());
    if (child == 0) {
        own_time(told[1]);
        pause();
    }
    need(read(told[0], seen, sizeof(seen)));
    begin = seen[1];
    expect(begin - now_ms() > (AHEAD_S - 60) * 1000, "its clock is not ahead");
    pidfd = need(syscall(SYS_pidfd_open, child, 0));
    fd = need(syscall(SYS_pidfd_getfd, pidfd, (int)seen[0], 0));
    own = now_ms() + WAIT_MS;
    setting.it_value = (struct timespec){.tv_sec = own / 1000, .tv_nsec = own % 1000 * 1000000};
    need(timerfd_settime(fd, TFD_TIMER_ABSTIME, &setting, NULL));
    need(ioctl(fd, TFD_IOC_SET_TICKS, &ticks));
    need(read(told[0], seen, sizeof(seen)));
    expect(now_ms() >= own, "it ended early");
    expect(seen[1] - begin >= WAIT_MS - 1, "it ended early, by its own clock");
    expect(seen[2] == 1, "it ended %lld times", (long long)seen[2]);
    holds("set to %d ms from now, it ended then, on a clock %d s ahead; 7 expirations were told of", WAIT_MS, AHEAD_S);
}

int main(void) { return check(body); }
