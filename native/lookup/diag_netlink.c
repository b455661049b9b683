#include "lookup/diag_netlink.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <sys/socket.h>

int diag_open(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    return fd < 0 ? -errno : fd;
}

int diag_send(int fd, const void *request, size_t size) {
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    return sendto(fd, request, size, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0 ? -errno : 0;
}

int diag_receive(int fd, void *reply, size_t size) {
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

int diag_error(const struct nlmsghdr *message) {
    const struct nlmsgerr *error = NLMSG_DATA(message);

    return message->nlmsg_len < NLMSG_LENGTH(sizeof *error) ? -EPROTO : error->error;
}

const void *diag_body(const struct nlmsghdr *message, size_t size) {
    if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY) return NULL;
    return message->nlmsg_len < NLMSG_LENGTH(size) ? NULL : NLMSG_DATA(message);
}

const void *diag_attribute(const struct nlmsghdr *message, size_t body, unsigned short type, size_t *length) {
    const char *at = (const char *)NLMSG_DATA(message) + NLMSG_ALIGN(body);
    const char *end = (const char *)message + message->nlmsg_len;

    while (at + sizeof(struct nlattr) <= end) {
        const struct nlattr *attribute = (const struct nlattr *)at;

        if (attribute->nla_len < sizeof *attribute || at + attribute->nla_len > end) return NULL;
        if (attribute->nla_type == type) {
            *length = attribute->nla_len - sizeof *attribute;
            return attribute + 1;
        }
        at += NLA_ALIGN(attribute->nla_len);
    }
    return NULL;
}

/* 1: the dump goes on. 0: it is complete. */
static int take_messages(const void *reply, size_t size, int (*take)(const struct nlmsghdr *, void *), void *context) {
    const struct nlmsghdr *message = reply;

    for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
        int result;

        if (message->nlmsg_type == NLMSG_DONE) return 0;
        if (message->nlmsg_type == NLMSG_ERROR) return diag_error(message);
        if ((result = take(message, context)) < 0) return result;
    }
    return 1;
}

int diag_take_all(int fd, int (*take)(const struct nlmsghdr *, void *), void *context) {
    void *reply = malloc(DIAG_REPLY_SIZE);
    int result;

    if (!reply) return -ENOMEM;
    do {
        result = diag_receive(fd, reply, DIAG_REPLY_SIZE);
        if (result >= 0) result = take_messages(reply, (size_t)result, take, context);
    } while (result > 0);
    free(reply);
    return result;
}
