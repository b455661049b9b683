/*
 * Calls that take data from sockets, and descriptors with it. A blocking one that a freeze cuts short goes on until it
 * has as much as it would have waited for.
 */
#include <string.h>
#include <sys/ioctl.h>

#include "freeze/attempt.h"
#include "registry/descriptors.h"
#include "registry/protected.h"
#include "registry/table.h"
#include "shim.h"

/*
 * Programs that are built with _FORTIFY_SOURCE call these. libc's own ends the program where the buffer is too small.
 */
ssize_t shim___read_chk(int fd, void *buffer, size_t size, size_t room) {
    return size > room ? libc.__read_chk(fd, buffer, size, room) : shim_read(fd, buffer, size);
}

ssize_t shim___recv_chk(int fd, void *buffer, size_t size, size_t room, int flags) {
    return size > room ? libc.__recv_chk(fd, buffer, size, room, flags) : shim_recv(fd, buffer, size, flags);
}

ssize_t shim___recvfrom_chk(int fd, void *buffer, size_t size, size_t room, int flags, struct sockaddr *from,
                            socklen_t *length) {
    return size > room ? libc.__recvfrom_chk(fd, buffer, size, room, flags, from, length)
                       : shim_recvfrom(fd, buffer, size, flags, from, length);
}

static bool is_stream(int fd) { return socket_option(fd, SO_TYPE, 0) == SOCK_STREAM; }

/*
 * Returns how many of `size` bytes a call that blocks promises unless a signal, an error or the end of the stream
 * comes, and a freeze is none of these: all of them with MSG_WAITALL, else as many as the low-water mark. A datagram is
 * whole as it is. errno untouched.
 */
static size_t promised(int fd, int flags, size_t size) {
    if (!is_stream(fd)) return 0;
    if (flags & MSG_WAITALL) return size;
    size_t mark = (size_t)socket_option(fd, SO_RCVLOWAT, 0);
    return mark < size ? mark : size;
}

/* Receives until `least` bytes are there; `done` are. Returns how many are now. errno untouched. */
static size_t receive_rest(const struct attempt *attempt, int fd, char *buffer, size_t least, int flags, size_t done) {
    int error = errno;

    while (done < least && attempt_frozen(attempt) && is_blocking(fd, flags)) {
        ssize_t more = libc.recv(fd, buffer + done, least - done, flags);
        if (more < 0 && attempt_again(attempt)) continue;
        if (more <= 0) break;
        done += (size_t)more;
    }
    errno = error;
    return done;
}

/* True: the call only looks at the bytes, and the next look sees the same ones; with SO_PEEK_OFF it would not (socket(7)).
 * errno untouched. */
static bool looks_again(int fd, int flags) { return flags & MSG_PEEK && socket_option(fd, SO_PEEK_OFF, -1) < 0; }

/* Looks at all once more, until `least` bytes are there or a whole wait brought no more. Returns how many were seen. errno
 * untouched. */
static size_t look_again(const struct attempt *attempt, int fd, const struct iovec *parts, size_t count, size_t least,
                         int flags, size_t seen) {
    struct msghdr message = {.msg_iov = (struct iovec *)parts, .msg_iovlen = count};
    int error = errno;

    while (seen < least && attempt_frozen(attempt) && is_blocking(fd, flags)) {
        ssize_t now = libc.recvmsg(fd, &message, flags);
        if (now < 0 && attempt_again(attempt)) continue;
        if (now <= (ssize_t)seen) break;
        seen = (size_t)now;
    }
    errno = error;
    return seen;
}

static ssize_t receive_parts(const struct attempt *attempt, int fd, const struct iovec *parts, size_t count, int flags,
                             ssize_t result) {
    size_t done = (size_t)result, size = 0, start = 0;

    if (result <= 0 || !unlikely(attempt_frozen(attempt))) return result;
    for (size_t i = 0; i < count; i++) size += parts[i].iov_len;
    size_t least = promised(fd, flags, size);
    if (looks_again(fd, flags)) return (ssize_t)look_again(attempt, fd, parts, count, least, flags, done);
    for (size_t i = 0; i < count && done < least; i++) {
        size_t end = start + parts[i].iov_len;
        size_t wanted = end < least ? end : least;
        if (done < wanted)
            done = start + receive_rest(attempt, fd, parts[i].iov_base, wanted - start, flags, done - start);
        if (done < wanted) break;
        start = end;
    }
    return (ssize_t)done;
}

static ssize_t receive_whole(const struct attempt *attempt, int fd, void *buffer, size_t size, int flags,
                             ssize_t result) {
    const struct iovec whole = {.iov_base = buffer, .iov_len = size};

    if (result <= 0 || (size_t)result >= size) return result;
    return receive_parts(attempt, fd, &whole, 1, flags, result);
}

ssize_t shim_read(int fd, void *buffer, size_t size) {
    struct attempt attempt = attempt_begin();
    ssize_t result = ATTEMPT(&attempt, libc.read(fd, buffer, size));

    return receive_whole(&attempt, fd, buffer, size, 0, result);
}

ssize_t shim_readv(int fd, const struct iovec *parts, int count) {
    struct attempt attempt = attempt_begin();
    ssize_t result = ATTEMPT(&attempt, libc.readv(fd, parts, count));

    return receive_parts(&attempt, fd, parts, (size_t)count, 0, result);
}

ssize_t shim_preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    struct attempt attempt = attempt_begin();

    return ATTEMPT(&attempt, libc.preadv2(fd, parts, count, offset, flags));
}

ssize_t shim_recv(int fd, void *buffer, size_t size, int flags) {
    struct attempt attempt = attempt_begin();
    ssize_t result = ATTEMPT(&attempt, libc.recv(fd, buffer, size, flags));

    return receive_whole(&attempt, fd, buffer, size, flags, result);
}

ssize_t shim_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from, socklen_t *length) {
    struct attempt attempt = attempt_begin();
    ssize_t result = ATTEMPT(&attempt, libc.recvfrom(fd, buffer, size, flags, from, length));

    return receive_whole(&attempt, fd, buffer, size, flags, result);
}

/* Takes note of the descriptors that came with the message (SCM_RIGHTS, unix(7)). */
static void arrivals(struct msghdr *message) {
    struct cmsghdr *header = message->msg_controllen ? CMSG_FIRSTHDR(message) : NULL;

    for (; header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
            table_arrival(fd);
        }
    }
}

ssize_t shim_recvmsg(int fd, struct msghdr *message, int flags) {
    struct attempt attempt = attempt_begin();
    ssize_t result = ATTEMPT(&attempt, libc.recvmsg(fd, message, flags));

    if (result >= 0) arrivals(message);
    return receive_parts(&attempt, fd, message->msg_iov, message->msg_iovlen, flags, result);
}

/* Waits until there is something to receive, or can never be any more. False: an error, which the next call is to find, a
 * signal or the end of SO_RCVTIMEO came first. errno untouched. */
static bool await_message(int fd) {
    struct pollfd poller = {.fd = fd, .events = POLLIN};
    struct timeval time = {0};
    socklen_t length = sizeof time;
    int error = errno, result;

    libc.getsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, &length);
    struct timespec limit = {time.tv_sec, time.tv_usec * 1000};
    result = ppoll(&poller, 1, time.tv_sec || time.tv_usec ? &limit : NULL, NULL);
    errno = error;
    return result > 0 && !(poller.revents & POLLERR);
}

/*
 * A call that blocks waits for all messages. In the kernel a signal between two of them, and so a freeze, would become
 * the socket's error (do_recvmmsg() in net/socket.c): ERESTARTSYS, which poll and the next call show. So once a call
 * has one message, it waits here and not there. On a stream each message waits for as much as was promised, so they
 * come one by one.
 */
int shim_recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout) {
    struct attempt attempt = attempt_begin();
    bool all = registry && count > 1 && !(flags & MSG_WAITFORONE) && is_blocking(fd, flags);
    bool one_by_one = all && is_stream(fd);
    unsigned int done = 0;
    int result;

    do {
        result = ATTEMPT(&attempt, libc.recvmmsg(fd, messages + done, one_by_one ? 1 : count - done,
                                                 all && !one_by_one ? flags | MSG_WAITFORONE : flags, timeout));
        if (result <= 0) break;
        for (int i = 0; i < result; i++) arrivals(&messages[done++].msg_hdr);
        struct mmsghdr *last = &messages[done - 1];
        last->msg_len = (unsigned int)receive_parts(&attempt, fd, last->msg_hdr.msg_iov, last->msg_hdr.msg_iovlen,
                                                    flags, (ssize_t)last->msg_len);
    } while (all && done < count && !(timeout && !timeout->tv_sec && !timeout->tv_nsec) && await_message(fd));
    if (!done) return result;
    errno = attempt.error;
    return (int)done;
}

/* True: only a freeze stopped this; a socket that blocks takes all that is in the pipe. errno untouched. */
static bool splice_goes_on(const struct attempt *attempt, int in, int out) {
    int left = 0, error = errno;
    bool goes_on = attempt_frozen(attempt) && socket_option(out, SO_TYPE, -1) >= 0 && ioctl(in, FIONREAD, &left) == 0 &&
                   left > 0 && is_blocking(out, 0);

    errno = error;
    return goes_on;
}

ssize_t shim_splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t size, unsigned int flags) {
    struct attempt attempt = attempt_begin();
    int nowait = flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0;
    size_t done = 0;
    ssize_t result;

    for (;;) {
        result = libc.splice(in, in_offset, out, out_offset, size - done, flags);
        if (result < 0 && attempt_again(&attempt)) continue;
        if (result > 0) done += (size_t)result;
        if (result <= 0 || done >= size || nowait || !splice_goes_on(&attempt, in, out)) break;
    }
    if (!done) return result;
    errno = attempt.error;
    return (ssize_t)done;
}
