#include "unix/unix_sockets.h"

#include "lookup/diag.h"
#include "socket/socket.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct visit {
    void (*visit)(const struct unix_socket *, void *);
    void *context;
};

static const void *attribute(const struct nlmsghdr *message, unsigned short type, size_t *length) {
    *length = 0;
    return diag_attribute(message, sizeof(struct unix_diag_msg), type, length);
}

static uint32_t number_of(const struct nlmsghdr *message, unsigned short type) {
    size_t length;
    uint32_t value = 0;
    const void *found = attribute(message, type, &length);

    if (found && length >= sizeof value) memcpy(&value, found, sizeof value);
    return value;
}

static int describe(const struct nlmsghdr *message, void *context) {
    const struct unix_diag_msg *found = diag_body(message, sizeof *found);
    const struct visit *visit = context;
    const struct unix_diag_rqlen *queues;
    const uint8_t *shut;
    size_t length;

    if (!found) return 0;
    struct unix_socket socket = {.inode = found->udiag_ino, .type = found->udiag_type, .state = found->udiag_state};
    socket.peer = number_of(message, UNIX_DIAG_PEER);
    shut = attribute(message, UNIX_DIAG_SHUTDOWN, &length);
    if (shut && length >= sizeof *shut) socket.shutdown = *shut;
    queues = attribute(message, UNIX_DIAG_RQLEN, &length);
    /* Of a listening socket udiag_wqueue is the backlog (sk_diag_show_rqlen in net/unix/diag.c). */
    if (queues && length >= sizeof *queues && socket.state != TCP_LISTEN) socket.unreceived = queues->udiag_wqueue;
    socket.name = attribute(message, UNIX_DIAG_NAME, &socket.name_length);
    socket.waiting = attribute(message, UNIX_DIAG_ICONS, &length);
    socket.waiting_count = length / sizeof *socket.waiting;
    visit->visit(&socket, visit->context);
    return 0;
}

int unix_sockets(void (*visit)(const struct unix_socket *, void *), void *context) {
    struct {
        struct nlmsghdr header;
        struct unix_diag_req body;
    } request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
        .body = {.sdiag_family = AF_UNIX,
                 .udiag_states = UINT32_MAX,
                 .udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN},
    };
    struct visit each = {visit, context};

    return diag_dump(&request, sizeof request, describe, &each);
}

enum {
    /* SCM_MAX_FD of the kernel: as many as one message may have. */
    MOST_FDS = 253,
    CHUNK = 64 * 1024,
};

static int add_descriptors(struct unix_queue *queue, const struct cmsghdr *header) {
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
 * Returns 1 where there was one, 0 where there are no more. With SO_PASSCRED a message has credentials, and the end of
 * a sequence of them has not; a stream's end has them (unix_stream_read_generic in net/unix/af_unix.c), but no stream
 * has empty messages.
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
        int added = add_descriptors(queue, header);

        if (added < 0) result = added;
    }
    if (result < 0) return result;
    if (message.msg_flags & MSG_CTRUNC) return -EMSGSIZE;
    if (got == 0) queue->has_empty = true;
    return 1;
}

/*
 * Whether something is in a queue that a look found empty: that can only be empty messages that somebody has looked at
 * before. At a stream's end poll(2) says POLLRDHUP too.
 */
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

/*
 * SO_PEEK_OFF takes each look further. An empty message that was looked at once is passed over, in this look and all
 * others.
 */
int unix_look_at_queue(int fd, struct unix_queue *queue) {
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
