/* Calls that make descriptors, and that close them. */
#include <limits.h>

#include "freeze/attempt.h"
#include "names.h"
#include "options.h"
#include "registry/protected.h"
#include "registry/table.h"
#include "shim.h"

int shim_socket(int family, int type, int protocol) {
    int fd = libc.socket(family, type, protocol);

    if (family == AF_INET || family == AF_INET6)
        table_birth(fd, type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC), REGISTRY_NEW);
    else
        table_arrival(fd);
    return fd;
}

/* Takes note of a connection that was accepted. `room` is what the program said that its buffer holds, *length what the
 * peer's address needs: where it was cut short, the program does not know it. */
static void accepted(int listener, int fd, const struct sockaddr *address, socklen_t room, const socklen_t *length) {
    const struct registry_record *from = table_record(listener);

    if (fd < 0) return;
    if (from) {
        table_birth(fd, from->type, REGISTRY_CONNECTED);
        options_inherit(from, fd);
    } else {
        table_arrival(fd);
    }
    if (address && length && *length <= room) names_note_peer(fd, address, *length);
    table_notify(fd);
}

/* This is accept4(2), and accept(2) where `flags` is NULL. */
static int accept_one(int fd, struct sockaddr *address, socklen_t *length, const int *flags) {
    struct attempt attempt = attempt_begin();
    socklen_t room = length ? *length : 0;
    int result =
        ATTEMPT(&attempt, flags ? libc.accept4(fd, address, length, *flags) : libc.accept(fd, address, length));

    accepted(fd, result, address, room, length);
    return result;
}

int shim_accept(int fd, struct sockaddr *address, socklen_t *length) { return accept_one(fd, address, length, NULL); }

int shim_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags) {
    return accept_one(fd, address, length, &flags);
}

int shim_dup(int fd) {
    int result;

    if (protected_refuses(fd)) return -1;
    result = libc.dup(fd);
    if (result >= 0) table_copy(fd, result);
    return result;
}

/* dup2 (which has flags -1 here) or dup3: they close what `to` was in the same step. dup2 of a descriptor onto itself does
 * nothing. */
static int replace(int from, int to, int flags) {
    uint64_t entry;
    int result;

    if (protected_refuses(from) || (is_protected(to) && !protected_move_away(to) && protected_refuses(to))) return -1;
    if (from == to) return flags < 0 ? libc.dup2(from, to) : libc.dup3(from, to, flags);
    entry = table_remove(to);
    result = flags < 0 ? libc.dup2(from, to) : libc.dup3(from, to, flags);
    if (result < 0) {
        table_restore(to, entry);
    } else {
        table_copy(from, to);
        table_bury(entry);
    }
    return result;
}

int shim_dup2(int from, int to) { return replace(from, to, -1); }

int shim_dup3(int from, int to, int flags) { return replace(from, to, flags & INT32_MAX); }

int shim_fcntl(int fd, int command, void *argument) {
    int result;

    if (protected_refuses(fd)) return -1;
    result = libc.fcntl(fd, command, argument);
    if (result >= 0 && (command == F_DUPFD || command == F_DUPFD_CLOEXEC)) table_copy(fd, result);
    return result;
}

int shim_pidfd_getfd(int pidfd, int target, unsigned int flags) {
    int fd = libc.pidfd_getfd(pidfd, target, flags);

    if (fd >= 0) table_arrival(fd);
    return fd;
}

int shim_close(int fd) {
    uint64_t entry;
    int result;

    if (protected_refuses(fd)) return -1;
    entry = table_remove(fd);
    result = libc.close(fd);
    /* Linux has closed it whatever the error is, unless that is EBADF (close(2)). */
    table_bury(entry);
    return result;
}

int shim_fclose(FILE *stream) {
    int error = errno;
    uint64_t entry = table_remove(fileno(stream));
    int result;

    errno = error;
    result = libc.fclose(stream);
    table_bury(entry);
    return result;
}

/* Closes all but the two descriptors of ours, in up to three pieces. */
static int close_around(unsigned int first, unsigned int last, int flags) {
    unsigned int memory = (unsigned int)atomic_load(&memory_fd), event = (unsigned int)atomic_load(&event_fd);
    unsigned int gaps[2] = {memory < event ? memory : event, memory < event ? event : memory};

    for (int i = 0; i < 2; i++) {
        if (gaps[i] < first || gaps[i] > last) continue;
        if (gaps[i] > first && libc.close_range(first, gaps[i] - 1, flags) < 0) return -1;
        if (gaps[i] == last) return 0;
        first = gaps[i] + 1;
    }
    return libc.close_range(first, last, flags);
}

int shim_close_range(unsigned int first, unsigned int last, int flags) {
    if (!registry || first > last || (flags & ~(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE)))
        return libc.close_range(first, last, flags);
    if (!(flags & CLOSE_RANGE_CLOEXEC)) table_forget_range(first, last);
    return close_around(first, last, flags);
}

/* closefrom(3) cannot fail: without close_range(2), which a sandbox may forbid, it closes one by one. */
void shim_closefrom(int first) {
    int error = errno;
    unsigned int from = first < 0 ? 0 : (unsigned int)first;

    if (!registry) {
        libc.closefrom(first);
        return;
    }
    if (shim_close_range(from, UINT_MAX, 0) < 0)
        for (long fd = from; fd < sysconf(_SC_OPEN_MAX); fd++) shim_close((int)fd);
    errno = error;
}
