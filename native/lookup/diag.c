#include "lookup/diag.h"

#include "kernel/array.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than a dump ever puts into one message (netlink_dump allocates at most 32 KiB). */
enum { REPLY_SIZE = 64 * 1024 };

static int open_diag(void) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

    return fd < 0 ? -errno : fd;
}

/* Sends one request, with its header. */
static int send_to_kernel(int fd, const void *request, size_t size) {
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

    return sendto(fd, request, size, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0 ? -errno : 0;
}

/* One datagram of the kernel's (not of another process, which may write to any netlink socket): its size. */
static int receive_from_kernel(int fd, void *reply, size_t size) {
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

/* What an NLMSG_ERROR says. */
static int error_of(const struct nlmsghdr *message) {
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

/* Returns 1 while the dump goes on, 0 when it is complete. */
static int take_messages(const void *reply, size_t size, int (*take)(const struct nlmsghdr *, void *), void *context) {
    const struct nlmsghdr *message = reply;

    for (; NLMSG_OK(message, size); message = NLMSG_NEXT(message, size)) {
        int result;

        if (message->nlmsg_type == NLMSG_DONE) return 0;
        if (message->nlmsg_type == NLMSG_ERROR) return error_of(message);
        if ((result = take(message, context)) < 0) return result;
    }
    return 1;
}

static int take_all(int fd, int (*take)(const struct nlmsghdr *, void *), void *context) {
    void *reply = malloc(REPLY_SIZE);
    int result;

    if (!reply) return -ENOMEM;
    do {
        result = receive_from_kernel(fd, reply, REPLY_SIZE);
        if (result >= 0) result = take_messages(reply, (size_t)result, take, context);
    } while (result > 0);
    free(reply);
    return result;
}

int diag_dump(const void *request, size_t size, int (*take)(const struct nlmsghdr *, void *), void *context) {
    int fd = open_diag(), result;

    if (fd < 0) return fd;
    result = send_to_kernel(fd, request, size);
    if (result == 0) result = take_all(fd, take, context);
    close(fd);
    return result;
}

enum {
    CONNECTED = 1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSE_WAIT |
                1 << TCP_LAST_ACK | 1 << TCP_CLOSING,
};

struct request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
    /* A program of one instruction, sent only where a cgroup is asked for. */
    struct nlattr bytecode;
    struct inet_diag_bc_op condition;
    uint64_t cgroup;
} __attribute__((packed, aligned(4)));

/* What is asked for. */
struct question {
    uint8_t protocol; /* 0: TCP */
    uint32_t states;
    bool info;       /* what tcp_info(7) says */
    uint64_t cgroup; /* 0: all */
};

struct list {
    struct diag_connection *items;
    size_t count;
};

static struct request request_for(int family, uint16_t flags, const struct inet_diag_sockid *id,
                                  const struct question *question) {
    const uint16_t program = sizeof(struct inet_diag_bc_op) + sizeof(uint64_t);

    return (struct request){
        .header = {.nlmsg_len = question->cgroup ? sizeof(struct request) : offsetof(struct request, bytecode),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | flags},
        .body = {.sdiag_family = (uint8_t)family,
                 .sdiag_protocol = question->protocol ? question->protocol : IPPROTO_TCP,
                 .idiag_ext = question->info ? 1 << (INET_DIAG_INFO - 1) : 0,
                 .idiag_states = question->states,
                 .id = *id},
        .bytecode = {.nla_len = (uint16_t)(sizeof(struct nlattr) + program), .nla_type = INET_DIAG_REQ_BYTECODE},
        /* To jump to the end means yes, to four bytes behind it no (inet_diag_bc_run in net/ipv4/inet_diag.c). */
        .condition = {.code = INET_DIAG_BC_CGROUP_COND, .yes = (uint8_t)program, .no = (uint16_t)(program + 4)},
        .cgroup = question->cgroup,
    };
}

static const struct inet_diag_msg *found(const struct nlmsghdr *message) {
    return diag_body(message, sizeof(struct inet_diag_msg));
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

/* An attribute of the message, of at least `size` bytes; NULL: it is not there. */
static const void *attribute_of(const struct nlmsghdr *message, unsigned short type, size_t size) {
    size_t length = 0;
    const void *attribute = diag_attribute(message, sizeof(struct inet_diag_msg), type, &length);

    return length < size ? NULL : attribute;
}

static void read_facts(const struct nlmsghdr *message, const struct inet_diag_msg *socket, struct diag_facts *facts) {
    const struct tcp_info *info = attribute_of(message, INET_DIAG_INFO, offsetof(struct tcp_info, tcpi_rto));

    *facts = (struct diag_facts){.inode = socket->idiag_inode, .state = socket->idiag_state};
    if (!info) return;
    facts->options = info->tcpi_options;
    facts->snd_wscale = info->tcpi_snd_wscale;
    facts->rcv_wscale = info->tcpi_rcv_wscale;
}

static int look_up(int fd, int family, const struct inet_diag_sockid *id, bool info, struct diag_facts *facts) {
    _Alignas(struct nlmsghdr) char reply[4096];
    const struct nlmsghdr *message = (const struct nlmsghdr *)reply;
    struct request request = request_for(family, 0, id, &(struct question){.states = CONNECTED, .info = info});
    int result = send_to_kernel(fd, &request, request.header.nlmsg_len);

    if (result == 0) result = receive_from_kernel(fd, reply, sizeof reply);
    if (result < 0) return result;
    if (!NLMSG_OK(message, (unsigned)result)) return -EPROTO;
    if (message->nlmsg_type == NLMSG_ERROR) return error_of(message);
    const struct inet_diag_msg *socket = found(message);
    /* Where no connection is found, the kernel answers with the listener of that address. */
    if (!socket || socket->idiag_state == TCP_LISTEN) return -ENOENT;
    read_facts(message, socket, facts);
    return 0;
}

/* What many look-ups share. */
struct search {
    int fd;
    struct if_nameindex *devices;
};

/* A socket that is bound to a device is found only where that is named. */
static int look_up_on_devices(struct search *search, int family, struct inet_diag_sockid id, bool info,
                              struct diag_facts *facts) {
    int result = -ENOENT;

    if (!search->devices) search->devices = if_nameindex();
    for (const struct if_nameindex *one = search->devices; one && one->if_index && result == -ENOENT; one++) {
        id.idiag_if = one->if_index;
        result = look_up(search->fd, family, &id, info, facts);
    }
    return result;
}

static int find(struct search *search, const struct diag_ends *ends, bool info, struct diag_facts *facts) {
    struct inet_diag_sockid id = {.idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}};
    int family = ends->local.any.sa_family, result;

    *facts = (struct diag_facts){0};
    if (ends->remote.any.sa_family != family) return -EINVAL;
    fill_id(&ends->local, id.idiag_src, &id.idiag_sport);
    fill_id(&ends->remote, id.idiag_dst, &id.idiag_dport);
    result = look_up(search->fd, family, &id, info, facts);
    if (result == -ENOENT) result = look_up_on_devices(search, family, id, info, facts);
    return result == -ENOENT ? 0 : result;
}

static void end_search(struct search *search) {
    if (search->devices) if_freenameindex(search->devices);
    if (search->fd >= 0) close(search->fd);
}

int diag_connection_inodes(const struct diag_ends *ends, size_t count, uint32_t *inodes) {
    struct search search = {.fd = open_diag()};
    int result = search.fd < 0 ? search.fd : 0;

    for (size_t i = 0; result == 0 && i < count; i++) {
        struct diag_facts facts;

        result = find(&search, &ends[i], false, &facts);
        inodes[i] = 1 << facts.state & CONNECTED ? facts.inode : 0;
    }
    end_search(&search);
    return result;
}

int diag_connection_facts(const struct diag_ends *ends, struct diag_facts *facts) {
    struct search search = {.fd = open_diag()};
    int result = search.fd < 0 ? search.fd : find(&search, ends, true, facts);

    end_search(&search);
    return result;
}

static int append(const struct nlmsghdr *message, void *context) {
    const struct inet_diag_msg *socket = found(message);
    struct list *list = context;
    struct diag_connection *item;

    if (!socket) return 0;
    item = array_grow(list->items, list->count, sizeof *item);
    if (!item) return -ENOMEM;
    list->items = item;
    item += list->count++;
    copy_endpoint(socket->idiag_family, socket->id.idiag_src, socket->id.idiag_sport, &item->local);
    copy_endpoint(socket->idiag_family, socket->id.idiag_dst, socket->id.idiag_dport, &item->remote);
    item->inode = socket->idiag_inode;
    item->state = socket->idiag_state;
    item->unacknowledged = socket->idiag_wqueue;
    /* The kernel adds it to INET_DIAG_INFO for CAP_NET_ADMIN (inet_sk_diag_fill in net/ipv4/inet_diag.c). */
    item->has_keys = attribute_of(message, INET_DIAG_MD5SIG, 0) != NULL;
    return 0;
}

static int dump(int family, const struct question *question, struct list *list) {
    struct request request = request_for(family, NLM_F_DUMP, &(struct inet_diag_sockid){0}, question);

    return diag_dump(&request, request.header.nlmsg_len, append, list);
}

static int dump_both(const struct question *question, struct diag_connection **out, size_t *count) {
    struct list list = {0};
    int result = dump(AF_INET, question, &list);

    if (result == 0) result = dump(AF_INET6, question, &list);
    if (result < 0) {
        free(list.items);
        return result;
    }
    *out = list.items;
    *count = list.count;
    return 0;
}

int diag_tcp_connections(struct diag_connection **list, size_t *count) {
    return dump_both(&(struct question){.states = CONNECTED}, list, count);
}

int diag_tcp_of_cgroup(uint64_t cgroup, uint32_t states, struct diag_connection **list, size_t *count) {
    return dump_both(&(struct question){.states = states, .info = true, .cgroup = cgroup}, list, count);
}

int diag_udp_sockets(struct diag_connection **list, size_t *count) {
    return dump_both(&(struct question){.protocol = IPPROTO_UDP, .states = UINT32_MAX}, list, count);
}

#define GROUP(number) (1u << ((number)-1))

int diag_ends_open(void) {
    const struct sockaddr_nl address = {
        .nl_family = AF_NETLINK,
        .nl_groups = GROUP(SKNLGRP_INET_TCP_DESTROY) | GROUP(SKNLGRP_INET6_TCP_DESTROY),
    };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);

    if (fd < 0) return -errno;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

void diag_ends_take(int fd) {
    char ignored[4096];

    /* ENOBUFS says that more came than fit, and so that some came. */
    while (recv(fd, ignored, sizeof ignored, MSG_TRUNC) >= 0 || errno == ENOBUFS || errno == EINTR) continue;
}
