#include "diag.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    /* More than a dump ever puts into one message (netlink_dump allocates at most 32 KiB). */
    REPLY_SIZE = 64 * 1024,
    CONNECTED = 1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSE_WAIT |
                1 << TCP_LAST_ACK | 1 << TCP_CLOSING,
};

struct request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

struct list {
    struct diag_connection *items;
    size_t count, capacity;
};

static int open_diag(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    return fd < 0 ? -errno : fd;
}

static int send_request(int fd, int family, uint16_t flags, const struct inet_diag_sockid *id) {
    struct request request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | flags},
        .body = {.sdiag_family = (uint8_t)family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = CONNECTED, .id = *id},
    };
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    ssize_t sent = sendto(fd, &request, sizeof request, 0, (struct sockaddr *)&kernel, sizeof kernel);
    return sent < 0 ? -errno : 0;
}

/* One datagram of the kernel's (not of another process, which may write to any netlink socket). */
static int receive_reply(int fd, void *reply, size_t size) {
    struct sockaddr_nl sender = {0};
    socklen_t length = sizeof sender;

    for (;;) {
        ssize_t received = recvfrom(fd, reply, size, MSG_TRUNC, (struct sockaddr *)&sender, &length);
        if (received < 0 && errno == EINTR) continue;
        if (received < 0) return -errno;
        if (sender.nl_pid != 0) continue;
        return (size_t)received > size ? -EMSGSIZE : (int)received;
    }
}

static int error_of(const struct nlmsghdr *message) {
    const struct nlmsgerr *error = NLMSG_DATA(message);

    return message->nlmsg_len < NLMSG_LENGTH(sizeof *error) ? -EPROTO : error->error;
}

static const struct inet_diag_msg *found(const struct nlmsghdr *message) {
    if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY) return NULL;
    return message->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)) ? NULL : NLMSG_DATA(message);
}

static void copy_endpoint(int family, const __be32 *address, __be16 port, union socket_address *endpoint) {
    memset(endpoint, 0, sizeof *endpoint);
    if (family == AF_INET6) {
        endpoint->v6.sin6_family = AF_INET6;
        endpoint->v6.sin6_port = port;
        memcpy(&endpoint->v6.sin6_addr, address, sizeof endpoint->v6.sin6_addr);
    } else {
        endpoint->v4.sin_family = AF_INET;
        endpoint->v4.sin_port = port;
        memcpy(&endpoint->v4.sin_addr, address, sizeof endpoint->v4.sin_addr);
    }
}

static void fill_id(const union socket_address *endpoint, __be32 *address, __be16 *port) {
    if (endpoint->any.sa_family == AF_INET6) {
        memcpy(address, &endpoint->v6.sin6_addr, sizeof endpoint->v6.sin6_addr);
        *port = endpoint->v6.sin6_port;
    } else {
        memcpy(address, &endpoint->v4.sin_addr, sizeof endpoint->v4.sin_addr);
        *port = endpoint->v4.sin_port;
    }
}

int diag_connection_inode(const union socket_address *local, const union socket_address *remote, uint32_t *inode) {
    _Alignas(struct nlmsghdr) char reply[4096];
    const struct nlmsghdr *message = (const struct nlmsghdr *)reply;
    struct inet_diag_sockid id = {.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}};
    int fd, result;

    if (local->any.sa_family != remote->any.sa_family) return -EINVAL;
    fill_id(local, id.idiag_src, &id.idiag_sport);
    fill_id(remote, id.idiag_dst, &id.idiag_dport);
    fd = open_diag();
    if (fd < 0) return fd;
    result = send_request(fd, local->any.sa_family, 0, &id);
    if (result < 0) goto out;
    result = receive_reply(fd, reply, sizeof reply);
    if (result < 0) goto out;
    if (!NLMSG_OK(message, (unsigned)result)) {
        result = -EPROTO;
    } else if (message->nlmsg_type == NLMSG_ERROR) {
        result = error_of(message);
    } else {
        const struct inet_diag_msg *socket = found(message);
        /* Where no connection is found, the kernel answers with the listener of that address. */
        int ours = socket && socket->idiag_inode && (1 << socket->idiag_state & CONNECTED);
        if (ours) *inode = socket->idiag_inode;
        result = ours ? 0 : -ENOENT;
    }
out:
    close(fd);
    return result;
}

static int append(struct list *list, const struct inet_diag_msg *socket) {
    struct diag_connection *item;

    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 64;
        void *items = realloc(list->items, capacity * sizeof *list->items);
        if (!items) return -ENOMEM;
        list->items = items;
        list->capacity = capacity;
    }
    item = &list->items[list->count++];
    copy_endpoint(socket->idiag_family, socket->id.idiag_src, socket->id.idiag_sport, &item->local);
    copy_endpoint(socket->idiag_family, socket->id.idiag_dst, socket->id.idiag_dport, &item->remote);
    item->inode = socket->idiag_inode;
    item->state = socket->idiag_state;
    return 0;
}

/* 1: the dump goes on. 0: it is complete. */
static int take_messages(const void *reply, size_t size, struct list *list) {
    const struct nlmsghdr *message = reply;

    for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
        if (message->nlmsg_type == NLMSG_DONE) return 0;
        if (message->nlmsg_type == NLMSG_ERROR) return error_of(message);
        const struct inet_diag_msg *socket = found(message);
        int result = socket ? append(list, socket) : 0;
        if (result < 0) return result;
    }
    return 1;
}

static int dump(int fd, int family, void *reply, struct list *list) {
    struct inet_diag_sockid any = {0};
    int result = send_request(fd, family, NLM_F_DUMP, &any);

    while (result >= 0) {
        result = receive_reply(fd, reply, REPLY_SIZE);
        if (result < 0) break;
        result = take_messages(reply, (size_t)result, list);
        if (result == 0) break;
    }
    return result;
}

int diag_tcp_connections(struct diag_connection **out, size_t *count) {
    struct list list = {0};
    void *reply = malloc(REPLY_SIZE);
    int fd, result;

    if (!reply) return -ENOMEM;
    fd = open_diag();
    if (fd < 0) {
        free(reply);
        return fd;
    }
    result = dump(fd, AF_INET, reply, &list);
    if (result == 0) result = dump(fd, AF_INET6, reply, &list);
    if (result == 0) {
        *out = list.items;
        *count = list.count;
    } else {
        free(list.items);
    }
    close(fd);
    free(reply);
    return result;
}
