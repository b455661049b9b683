#include "unix/unix_diag.h"

#include "lookup/diag_netlink.h"

#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct visit {
    void (*visit)(const struct unix_diag_socket *, void *);
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
    struct unix_diag_socket socket = {
        .inode = found->udiag_ino, .type = found->udiag_type, .state = found->udiag_state};
    socket.peer = number_of(message, UNIX_DIAG_PEER);
    shut = attribute(message, UNIX_DIAG_SHUTDOWN, &length);
    if (shut && length >= sizeof *shut) socket.shutdown = *shut;
    queues = attribute(message, UNIX_DIAG_RQLEN, &length);
    /* Of a listening socket it is the backlog (sk_diag_show_rqlen in net/unix/diag.c). */
    if (queues && length >= sizeof *queues && socket.state != TCP_LISTEN) socket.unreceived = queues->udiag_wqueue;
    socket.name = attribute(message, UNIX_DIAG_NAME, &socket.name_length);
    socket.waiting = attribute(message, UNIX_DIAG_ICONS, &length);
    socket.waiting_count = length / sizeof *socket.waiting;
    visit->visit(&socket, visit->context);
    return 0;
}

int unix_diag_each(void (*visit)(const struct unix_diag_socket *, void *), void *context) {
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
    int fd = diag_open(), result;

    if (fd < 0) return fd;
    result = diag_send(fd, &request, sizeof request);
    if (result == 0) result = diag_take_all(fd, describe, &each);
    close(fd);
    return result;
}
