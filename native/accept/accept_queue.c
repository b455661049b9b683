#include "accept/accept_queue.h"

#include "tcp/repair.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* As many as there can be: room for any queue in the first window. */
#define SCALE_MAX 14
#define FIRST 1000u /* of the numbers without meaning */
#define MSS 536

/* Not accept4() alone: it would wait, and O_NONBLOCK is the program's. */
static bool is_waiting(int listener) {
    struct pollfd queue = {.fd = listener, .events = POLLIN};

    return poll(&queue, 1, 0) == 1 && queue.revents & POLLIN;
}

static int take_one(int listener, struct taken_connection *taken) {
    union socket_address remote;
    socklen_t length = sizeof remote;
    int fd = accept4(listener, &remote.any, &length, SOCK_CLOEXEC), result;

    if (fd < 0) return -errno;
    result = socket_describe(fd, &taken->socket);
    taken->socket.remote = remote; /* which getpeername(2) does not say of one that was reset */
    if (result == 0) result = socket_get(fd, SOL_SOCKET, SO_RCVBUF, &taken->receive_buffer);
    if (result < 0) close(fd);
    return result;
}

int accept_queue_take(int listener, struct taken_connection **taken, size_t *count) {
    size_t room = 0;
    int result = 0;

    *taken = NULL;
    *count = 0;
    while (is_waiting(listener)) {
        if (*count == room) {
            void *larger = realloc(*taken, (room = room * 2 + 16) * sizeof **taken);

            if (!larger) break;
            *taken = larger;
        }
        result = take_one(listener, &(*taken)[*count]);
        if (result < 0) break;
        ++*count;
    }
    if (*count || result == 0 || result == -EMFILE || result == -ENFILE || result == -EAGAIN) return 0;
    return result;
}

/* What came before the reset is read before its error (tcp_recvmsg_locked). */
static int read_all(int fd, uint8_t **bytes, uint32_t *length) {
    int unread;
    ssize_t got;

    if (ioctl(fd, SIOCINQ, &unread)) return -errno;
    if (unread == 0) return 0;
    *bytes = malloc((size_t)unread);
    if (!*bytes) return -ENOMEM;
    got = recv(fd, *bytes, (size_t)unread, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0) return -errno;
    *length = (uint32_t)got;
    return 0;
}

int accept_queue_save_reset(int fd, const union socket_address *remote, struct tcp_saved *saved) {
    int result;

    memset(saved, 0, sizeof *saved);
    saved->state = TCP_CLOSE;
    saved->family = remote->any.sa_family;
    saved->remote = *remote;
    result = socket_local(fd, &saved->local);
    if (result == 0) result = read_all(fd, &saved->receive_queue, &saved->receive_length);
    if (result < 0) {
        tcp_saved_clear(saved);
        return result;
    }
    saved->snd_una = FIRST;
    saved->rcv_nxt = FIRST + saved->receive_length;
    saved->options = TCPI_OPT_WSCALE;
    saved->rcv_wscale = SCALE_MAX;
    saved->mss_clamp = MSS;
    saved->window =
        (struct tcp_repair_window){.snd_wl1 = FIRST, .rcv_wup = FIRST, .rcv_wnd = saved->receive_length + 1};
    return 0;
}
