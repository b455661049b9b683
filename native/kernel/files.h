/* Files that Node.js cannot make, change or ask: one system call each, or nearly so.
 *
 * All return 0 or -errno. Descriptors that are made here are close-on-exec and the caller's. */
#pragma once

#include <stdint.h>
#include <time.h>

/** ends[0] to read from, ends[1] to write to. */
int pipe_pair(int ends[2]);

/** Two connected ends that keep message boundaries (AF_UNIX, SOCK_SEQPACKET). */
int seqpacket_pair(int ends[2]);

/** A pseudo terminal of that size. Neither end becomes anybody's controlling terminal by being opened here. */
int open_pty(uint16_t rows, uint16_t columns, int *master, int *slave);

/** Of a pseudo terminal, by either end; its foreground process group gets SIGWINCH where the size is a new one
 * (tty_ioctl(4)). */
int set_window_size(int fd, uint16_t rows, uint16_t columns);

struct timer_setting {
    int flags;                   /* of timerfd_settime(2) */
    int64_t end_ns, interval_ns; /* on the timer's clock, as the caller's time namespace has it */
    uint64_t expirations;        /* that nobody has read yet */
};

/** Sets a timer of timerfd_create(2), which may be another process's. */
int set_timer(int fd, const struct timer_setting *setting);

/** A clock of clock_gettime(2), in the caller's time namespace: nanoseconds, or -errno. */
int64_t clock_now(int clock);

/** Nanoseconds, from 0 on, as most calls take them. */
struct timespec clock_time(int64_t nanoseconds);

/** What poll(2) says of a descriptor now, of POLLIN, POLLOUT, POLLERR and POLLHUP. */
int poll_events(int fd, short *events);

/** Renames a file to a name that no other one has: -EEXIST where there is a file of that name, which stays;
 * -EINVAL where the file system cannot (NFS). */
int rename_exclusive(const char *from, const char *to);
