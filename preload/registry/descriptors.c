#include "descriptors.h"

#include <limits.h>
#include <sys/syscall.h>

#include "shim.h"

/* So many descriptors are tried where there is no /proc. */
#define GUESSED 1024

/* getdents64(2)'s entry. */
struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t length;
    uint8_t type;
    char name[];
};

/* -1: it is none, as "." and "..". */
static int number(const char *name) {
    int value = 0;

    for (; *name; name++) {
        if (*name < '0' || *name > '9' || value >= INT_MAX / 10) return -1;
        value = value * 10 + (*name - '0');
    }
    return value;
}

static int each_guessed(int (*visit)(int fd, void *context), void *context) {
    int result = 0;

    for (int fd = 0; fd < GUESSED && !result; fd++) result = visit(fd, context);
    return result;
}

int each_descriptor(int (*visit)(int fd, void *context), void *context) {
    alignas(struct entry) char buffer[4096];
    int folder = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int result = 0;
    long size;

    if (folder < 0) return each_guessed(visit, context);
    while (!result && (size = syscall(SYS_getdents64, folder, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < size && !result;) {
            const struct entry *entry = (const struct entry *)(buffer + at);
            int fd = number(entry->name);
            at += entry->length;
            if (fd >= 0 && fd != folder) result = visit(fd, context);
        }
    }
    syscall(SYS_close, folder);
    return result;
}

bool is_blocking(int fd, int flags) {
    int error = errno;
    bool blocking = !(flags & MSG_DONTWAIT) && !(libc.fcntl(fd, F_GETFL, NULL) & O_NONBLOCK);

    errno = error;
    return blocking;
}

int socket_option(int fd, int name, int otherwise) {
    int value, error = errno;
    socklen_t length = sizeof value;
    int result = libc.getsockopt(fd, SOL_SOCKET, name, &value, &length);

    errno = error;
    return result == 0 ? value : otherwise;
}
