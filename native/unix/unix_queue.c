#include "unix/unix_queue.h"

#include "tcp/repair.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    /* SCM_MAX_FD of the kernel: as many as one message may have. */
    MOST_FDS = 253,
    CHUNK = 64 * 1024,
};

static int keep(struct unix_queue *queue, const struct cmsghdr *header) {
    size_t more = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    int *fds;

    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS || more == 0) return 0;
    fds = realloc(queue->fds, (queue->count + more) * sizeof(int));
    if (!fds) return -ENOMEM;
    memcpy(fds + queue->count, CMSG_DATA(header), more * sizeof(int));
    queue->fds = fds;
    queue->count += more;
    return 0;
}

/*
 * 1: there was one. 0: there are no more. With SO_PASSCRED a message has credentials, and the end of a sequence of them
 * has not; a stream's end has them (unix_stream_read_generic in net/unix/af_unix.c), but no stream has empty messages.
 */
static int look_at_next(int fd, bool keeps_apart, void *bytes, struct unix_queue *queue) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(MOST_FDS * sizeof(int)) + 512];
    struct iovec data = {.iov_base = bytes, .iov_len = CHUNK};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    int result = 0;

    /* Not connected, or listening: there is no queue. */
    if (got < 0) return errno == EAGAIN || errno == ENOTCONN || errno == EINVAL ? 0 : -errno;
    if (!CMSG_FIRSTHDR(&message) || (got == 0 && !keeps_apart)) return 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        int kept = keep(queue, header);

        if (kept < 0) result = kept;
    }
    if (result < 0) return result;
    if (message.msg_flags & MSG_CTRUNC) return -EMSGSIZE;
    if (got == 0) queue->has_empty = true;
    return 1;
}

/* That a look shows nothing: only empty messages that somebody has looked at before. At its end poll tells nothing. */
static bool has_unseen(int fd) {
    struct pollfd asked = {.fd = fd, .events = POLLIN | POLLRDHUP};
    int listens;

    if (socket_get(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens) < 0 || listens) return false;
    return poll(&asked, 1, 0) == 1 && (asked.revents & (POLLIN | POLLRDHUP)) == POLLIN;
}

static int look_at_all(int fd, struct unix_queue *queue) {
    int type, seen = 0, result = socket_get(fd, SOL_SOCKET, SO_TYPE, &type);
    void *bytes = malloc(CHUNK);

    if (!bytes) return -ENOMEM;
    if (result == 0) do {
            result = look_at_next(fd, type != SOCK_STREAM, bytes, queue);
            seen += result > 0;
        } while (result > 0);
    free(bytes);
    if (result == 0 && seen == 0 && type != SOCK_STREAM && has_unseen(fd)) queue->has_empty = true;
    return result;
}

/* SO_PEEK_OFF takes each look further; an empty message that was looked at once is gone past, at this look and all others. */
int unix_queue_look(int fd, struct unix_queue *queue) {
    int offset, credentials, result = socket_get(fd, SOL_SOCKET, SO_PEEK_OFF, &offset), put_back;

    memset(queue, 0, sizeof *queue);
    if (result == 0) result = socket_get(fd, SOL_SOCKET, SO_PASSCRED, &credentials);
    if (result < 0) return result;
    result = socket_set(fd, SOL_SOCKET, SO_PEEK_OFF, 0);
    if (result == 0) result = socket_set(fd, SOL_SOCKET, SO_PASSCRED, 1);
    if (result == 0) result = look_at_all(fd, queue);
    put_back = socket_set(fd, SOL_SOCKET, SO_PASSCRED, credentials);
    if (put_back == 0) put_back = socket_set(fd, SOL_SOCKET, SO_PEEK_OFF, offset);
    return result < 0 ? result : put_back;
}

void unix_queue_clear(struct unix_queue *queue) {
    for (size_t i = 0; i < queue->count; i++) close(queue->fds[i]);
    free(queue->fds);
    *queue = (struct unix_queue){0};
}
