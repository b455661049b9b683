#include "freeze/cgroup.h"

#include "kernel/files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void) { return clock_now(CLOCK_MONOTONIC) / 1000000; }

static int open_file(const char *path, const char *name, int flags) {
    char full[PATH_MAX];
    int length = snprintf(full, sizeof full, "%s/%s", path, name);

    if (length < 0 || (size_t)length >= sizeof full) return -ENAMETOOLONG;
    int fd = open(full, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int write_freeze(const char *path, const char *value) {
    int fd = open_file(path, "cgroup.freeze", O_WRONLY);
    int result = 0;

    if (fd < 0) return fd;
    if (write(fd, value, 1) < 0) result = -errno;
    close(fd);
    return result;
}

/* Returns 1, 0 or -errno. A read also re-arms poll(2) on the file (kernfs_generic_poll). */
static int read_frozen(int events) {
    static const char key[] = "frozen ";
    char text[256];
    ssize_t length = pread(events, text, sizeof text - 1, 0);

    if (length < 0) return -errno;
    text[length] = '\0';
    const char *line = strstr(text, key);
    return line ? line[sizeof key - 1] == '1' : -EPROTO;
}

/*
 * The kernel tells of a change at most every 10 ms (cgroup_file_notify, CGROUP_FILE_NOTIFY_MIN_INTV): where the file
 * has just changed otherwise, because a process came or went, the event is that late. The file itself is not.
 */
enum { LOOK_AGAIN_MS = 1 };

static int wait_frozen(int events, int timeout_ms) {
    int64_t deadline = now_ms() + timeout_ms;

    for (;;) {
        int frozen = read_frozen(events);
        if (frozen != 0) return frozen < 0 ? frozen : 0;

        int64_t left = deadline - now_ms();
        if (left <= 0) return -ETIMEDOUT;
        struct pollfd change = {.fd = events, .events = POLLPRI};
        if (poll(&change, 1, left < LOOK_AGAIN_MS ? (int)left : LOOK_AGAIN_MS) < 0 && errno != EINTR) return -errno;
    }
}

int cgroup_freeze(const char *path, int timeout_ms) {
    int events = open_file(path, "cgroup.events", O_RDONLY);
    int result;

    if (events < 0) return events;
    result = write_freeze(path, "1");
    if (result < 0) goto out;
    result = wait_frozen(events, timeout_ms);
    if (result < 0) write_freeze(path, "0");
out:
    close(events);
    return result;
}

int cgroup_thaw(const char *path) { return write_freeze(path, "0"); }
