/*
 * Calls that give data to sockets. A blocking one that a freeze cuts short goes on with the rest, as if nothing had
 * been: the program may never have looked at the count, since without signals there is none but the full one.
 */
#include <sys/sendfile.h>

#include "freeze/attempt.h"
#include "names.h"
#include "options.h"
#include "registry/descriptors.h"
#include "registry/table.h"
#include "shim.h"

/* These are for the first part of a call only: its connect, and the one notification that the program counts. */
#define ONCE (MSG_FASTOPEN | MSG_ZEROCOPY)

/* Stands for the flags where a call is to write: to what need not be a socket. */
#define WRITE (-1)

static ssize_t put(int fd, const void *buffer, size_t size, int flags) {
    return flags == WRITE ? libc.write(fd, buffer, size) : libc.send(fd, buffer, size, flags);
}

/* True: only a freeze made a count too small, and the call would have waited for the rest. errno untouched. */
static bool goes_on(const struct attempt *attempt, int fd, int flags) {
    return attempt_frozen(attempt) && is_blocking(fd, flags == WRITE ? 0 : flags);
}

/* Gives the rest; `done` bytes are given. Returns how many are now: fewer than `size` for a reason of the socket's own. errno
 * untouched. */
static size_t put_rest(const struct attempt *attempt, int fd, const char *buffer, size_t size, int flags, size_t done) {
    int error = errno;

    while (done < size && goes_on(attempt, fd, flags)) {
        ssize_t more = put(fd, buffer + done, size - done, flags);
        if (more < 0 && attempt_again(attempt)) continue;
        if (more <= 0) break;
        done += (size_t)more;
    }
    errno = error;
    return done;
}

static size_t put_parts(const struct attempt *attempt, int fd, const struct iovec *parts, size_t count, int flags,
                        size_t done) {
    size_t start = 0;

    for (size_t i = 0; i < count; i++) {
        size_t end = start + parts[i].iov_len;
        if (done < end) done = start + put_rest(attempt, fd, parts[i].iov_base, parts[i].iov_len, flags, done - start);
        if (done < end) break;
        start = end;
    }
    return done;
}

/* Returns what the program gets after a call that has given `result` bytes of a buffer. */
static ssize_t finish(const struct attempt *attempt, int fd, const char *buffer, size_t size, int flags,
                      ssize_t result) {
    if (!unlikely(result > 0 && (size_t)result < size)) return result;
    return (ssize_t)put_rest(attempt, fd, buffer, size, flags, (size_t)result);
}

/* Goes on likewise with a buffer in parts. */
static ssize_t finish_parts(const struct attempt *attempt, int fd, const struct iovec *parts, size_t count, int flags,
                            ssize_t result) {
    if (!unlikely(result > 0 && attempt_frozen(attempt))) return result;
    return (ssize_t)put_parts(attempt, fd, parts, count, flags, (size_t)result);
}

static size_t total(const struct iovec *parts, size_t count) {
    size_t sum = 0;

    for (size_t i = 0; i < count; i++) sum += parts[i].iov_len;
    return sum;
}

ssize_t shim_write(int fd, const void *buffer, size_t size) {
    struct attempt attempt = attempt_begin();
    ssize_t result = ATTEMPT(&attempt, libc.write(fd, buffer, size));

    return finish(&attempt, fd, buffer, size, WRITE, result);
}

ssize_t shim_writev(int fd, const struct iovec *parts, int count) {
    struct attempt attempt = attempt_begin();
    ssize_t result = ATTEMPT(&attempt, libc.writev(fd, parts, count));

    return finish_parts(&attempt, fd, parts, (size_t)count, WRITE, result);
}

/* With an offset it is no call for sockets. */
ssize_t shim_pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    struct attempt attempt = attempt_begin();
    ssize_t result = ATTEMPT(&attempt, libc.pwritev2(fd, parts, count, offset, flags));

    if (unlikely(result > 0 && offset == -1 && !(flags & RWF_NOWAIT) && attempt_frozen(&attempt)))
        return (ssize_t)put_parts(&attempt, fd, parts, (size_t)count, WRITE, (size_t)result);
    return result;
}

/* With TCP fast open, the first data connects (tcp(7)). */
static void connected_by_send(int fd, const struct sockaddr *to, socklen_t length, ssize_t result) {
    struct registry_record *record = table_record(fd);

    if (!record || (result < 0 && errno != EINPROGRESS) || atomic_load(&record->state) == REGISTRY_CONNECTED) return;
    names_connected(fd, to, length);
}

ssize_t shim_send(int fd, const void *buffer, size_t size, int flags) {
    struct attempt attempt = attempt_begin();
    ssize_t result;

    if (unlikely(flags & MSG_ZEROCOPY)) options_zerocopy(fd);
    result = ATTEMPT(&attempt, libc.send(fd, buffer, size, flags));
    return finish(&attempt, fd, buffer, size, flags & ~ONCE, result);
}

ssize_t shim_sendto(int fd, const void *buffer, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
    struct attempt attempt = attempt_begin();
    ssize_t result;

    if (unlikely(flags & MSG_ZEROCOPY)) options_zerocopy(fd);
    result = ATTEMPT(&attempt, libc.sendto(fd, buffer, size, flags, to, length));
    if (unlikely(flags & MSG_FASTOPEN)) connected_by_send(fd, to, length, result);
    return finish(&attempt, fd, buffer, size, flags & ~ONCE, result);
}

/* Ancillary data and the address go with the first byte, so the rest is sent without them. */
ssize_t shim_sendmsg(int fd, const struct msghdr *message, int flags) {
    struct attempt attempt = attempt_begin();
    ssize_t result;

    if (unlikely(flags & MSG_ZEROCOPY)) options_zerocopy(fd);
    result = ATTEMPT(&attempt, libc.sendmsg(fd, message, flags));
    if (unlikely(flags & MSG_FASTOPEN)) connected_by_send(fd, message->msg_name, message->msg_namelen, result);
    return finish_parts(&attempt, fd, message->msg_iov, message->msg_iovlen, flags & ~ONCE, result);
}

/* The kernel stops at the first message that it could not send whole; a freeze is no reason to. */
int shim_sendmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags) {
    struct attempt attempt = attempt_begin();
    unsigned int sent = 0;
    int result;

    if (unlikely(flags & MSG_ZEROCOPY)) options_zerocopy(fd);
    for (;;) {
        result = ATTEMPT(&attempt, libc.sendmmsg(fd, messages + sent, count - sent, flags));
        if (result <= 0) break;
        sent += (unsigned int)result;
        if (!attempt_frozen(&attempt)) break;

        struct mmsghdr *last = &messages[sent - 1];
        const struct iovec *parts = last->msg_hdr.msg_iov;
        size_t number = last->msg_hdr.msg_iovlen;
        last->msg_len = (unsigned int)put_parts(&attempt, fd, parts, number, flags & ~ONCE, last->msg_len);
        if (sent == count || last->msg_len < total(parts, number) || !goes_on(&attempt, fd, flags)) break;
    }
    if (!sent) return result;
    errno = attempt.error;
    return (int)sent;
}

/* A result of 0 is the end of the file. */
ssize_t shim_sendfile(int out, int in, off_t *offset, size_t count) {
    struct attempt attempt = attempt_begin();
    size_t sent = 0;
    ssize_t result;

    for (;;) {
        result = libc.sendfile(out, in, offset, count - sent);
        if (result < 0 && attempt_again(&attempt)) continue;
        if (result > 0) sent += (size_t)result;
        if (result <= 0 || sent >= count || !goes_on(&attempt, out, 0)) break;
    }
    if (!sent) return result;
    errno = attempt.error;
    return (ssize_t)sent;
}
