/* Calls that take data from sockets, and descriptors. */
#include <string.h>

#include "shim.h"

/* libc's own checks, for programs built with _FORTIFY_SOURCE: it never returns from a buffer too small. */
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

/* MSG_WAITALL promises everything unless a signal, an error or the end comes; a freeze is none of them. */
static ssize_t receive_rest(const struct attempt *attempt, int fd, char *buffer, size_t size, int flags, size_t done) {
    int error = errno;

    while (done < size && (flags & MSG_WAITALL) && !(flags & MSG_PEEK) && attempt_frozen(attempt) &&
           is_blocking(fd, flags)) {
        ssize_t more = libc.recv(fd, buffer + done, size - done, flags);
        if (more < 0 && attempt_again(attempt)) continue;
        if (more <= 0) break;
        done += (size_t)more;
    }
    errno = error;
    return (ssize_t)done;
}

ssize_t shim_read(int fd, void *buffer, size_t size) {
    struct attempt attempt = attempt_begin();
    ssize_t result;

    if (hold(fd, 0) < 0) return -1;
    do result = libc.read(fd, buffer, size);
    while (result < 0 && attempt_again(&attempt));
    return result;
}

ssize_t shim_readv(int fd, const struct iovec *parts, int count) {
    struct attempt attempt = attempt_begin();
    ssize_t result;

    if (hold(fd, 0) < 0) return -1;
    do result = libc.readv(fd, parts, count);
    while (result < 0 && attempt_again(&attempt));
    return result;
}

ssize_t shim_preadv2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    struct attempt attempt = attempt_begin();
    ssize_t result;

    if (hold(fd, flags & RWF_NOWAIT ? MSG_DONTWAIT : 0) < 0) return -1;
    do result = libc.preadv2(fd, parts, count, offset, flags);
    while (result < 0 && attempt_again(&attempt));
    return result;
}

ssize_t shim_recv(int fd, void *buffer, size_t size, int flags) {
    struct attempt attempt = attempt_begin();
    ssize_t result;

    if (hold(fd, flags) < 0) return -1;
    do result = libc.recv(fd, buffer, size, flags);
    while (result < 0 && attempt_again(&attempt));
    if (unlikely((flags & MSG_WAITALL) && result > 0 && (size_t)result < size))
        return receive_rest(&attempt, fd, buffer, size, flags, (size_t)result);
    return result;
}

ssize_t shim_recvfrom(int fd, void *buffer, size_t size, int flags, struct sockaddr *from, socklen_t *length) {
    struct attempt attempt = attempt_begin();
    ssize_t result;

    if (hold(fd, flags) < 0) return -1;
    do result = libc.recvfrom(fd, buffer, size, flags, from, length);
    while (result < 0 && attempt_again(&attempt));
    if (unlikely((flags & MSG_WAITALL) && result > 0 && (size_t)result < size))
        return receive_rest(&attempt, fd, buffer, size, flags, (size_t)result);
    return result;
}

/* Descriptors that came along (SCM_RIGHTS, unix(7)). */
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

/* A MSG_WAITALL cut short: the parts of the message that are not full yet. */
static ssize_t receive_parts(const struct attempt *attempt, int fd, const struct msghdr *message, int flags,
                             size_t done) {
    size_t start = 0;

    for (size_t i = 0; i < message->msg_iovlen; i++) {
        const struct iovec *part = &message->msg_iov[i];
        size_t end = start + part->iov_len;
        if (done < end)
            done = start + (size_t)receive_rest(attempt, fd, part->iov_base, part->iov_len, flags, done - start);
        if (done < end) break;
        start = end;
    }
    return (ssize_t)done;
}

ssize_t shim_recvmsg(int fd, struct msghdr *message, int flags) {
    struct attempt attempt = attempt_begin();
    ssize_t result;

    if (hold(fd, flags) < 0) return -1;
    do result = libc.recvmsg(fd, message, flags);
    while (result < 0 && attempt_again(&attempt));
    if (result >= 0) arrivals(message);
    if (unlikely((flags & MSG_WAITALL) && result > 0 && attempt_frozen(&attempt)))
        return receive_parts(&attempt, fd, message, flags, (size_t)result);
    return result;
}

int shim_recvmmsg(int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout) {
    struct attempt attempt = attempt_begin();
    int result;

    if (hold(fd, flags) < 0) return -1;
    do result = libc.recvmmsg(fd, messages, count, flags, timeout);
    while (result < 0 && attempt_again(&attempt));
    for (int i = 0; i < result; i++) arrivals(&messages[i].msg_hdr);
    return result;
}

ssize_t shim_splice(int in, off_t *in_offset, int out, off_t *out_offset, size_t size, unsigned int flags) {
    struct attempt attempt = attempt_begin();
    int nowait = flags & SPLICE_F_NONBLOCK ? MSG_DONTWAIT : 0;
    ssize_t result;

    if (hold(in, nowait) < 0 || hold(out, nowait) < 0) return -1;
    do result = libc.splice(in, in_offset, out, out_offset, size, flags);
    while (result < 0 && attempt_again(&attempt));
    return result;
}
