#include "lookup/diag.h"

#include "lookup/diag_netlink.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECTED = 1 << TCP_ESTABLISHED | 1 << TCP_FIN_WAIT1 | 1 << TCP_FIN_WAIT2 | 1 << TCP_CLOSE_WAIT |
                1 << TCP_LAST_ACK | 1 << TCP_CLOSING,
};

struct request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
    /* Only where a cgroup is asked for: a program of one instruction. */
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
    size_t count, capacity;
};

static int send_request(int fd, int family, uint16_t flags, const struct inet_diag_sockid *id,
                        const struct question *question) {
    const uint16_t program = sizeof(struct inet_diag_bc_op) + sizeof(uint64_t);
    struct request request = {
        .header = {.nlmsg_len = question->cgroup ? sizeof request : offsetof(struct request, bytecode),
                   .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                   .nlmsg_flags = NLM_F_REQUEST | flags},
        .body = {.sdiag_family = (uint8_t)family,
                 .sdiag_protocol = question->protocol ? question->protocol : IPPROTO_TCP,
                 .idiag_ext = question->info ? 1 << (INET_DIAG_INFO - 1) : 0,
                 .idiag_states = question->states,
                 .id = *id},
        .bytecode = {.nla_len = (uint16_t)(sizeof(struct nlattr) + program), .nla_type = INET_DIAG_REQ_BYTECODE},
        /* Past the end is yes, four bytes further is no (inet_diag_bc_run in net/ipv4/inet_diag.c). */
        .condition = {.code = INET_DIAG_BC_CGROUP_COND, .yes = (uint8_t)program, .no = (uint16_t)(program + 4)},
        .cgroup = question->cgroup,
    };
    return diag_send(fd, &request, request.header.nlmsg_len);
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

/* An attribute of the message, of at least `size` bytes; NULL: not there. */
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
    int result = send_request(fd, family, 0, id, &(struct question){.states = CONNECTED, .info = info});

    if (result == 0) result = diag_receive(fd, reply, sizeof reply);
    if (result < 0) return result;
    if (!NLMSG_OK(message, (unsigned)result)) return -EPROTO;
    if (message->nlmsg_type == NLMSG_ERROR) return diag_error(message);
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

/* A socket that is bound to a device is found by that alone. */
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

static void end(struct search *search) {
    if (search->devices) if_freenameindex(search->devices);
    if (search->fd >= 0) close(search->fd);
}

int diag_connection_inodes(const struct diag_ends *ends, size_t count, uint32_t *inodes) {
    struct search search = {.fd = diag_open()};
    int result = search.fd < 0 ? search.fd : 0;

    for (size_t i = 0; result == 0 && i < count; i++) {
        struct diag_facts facts;

        result = find(&search, &ends[i], false, &facts);
        inodes[i] = 1 << facts.state & CONNECTED ? facts.inode : 0;
    }
    end(&search);
    return result;
}

int diag_connection_facts(const struct diag_ends *ends, struct diag_facts *facts) {
    struct search search = {.fd = diag_open()};
    int result = search.fd < 0 ? search.fd : find(&search, ends, true, facts);

    end(&search);
    return result;
}

static int append(const struct nlmsghdr *message, void *context) {
    const struct inet_diag_msg *socket = found(message);
    struct list *list = context;
    struct diag_connection *item;

    if (!socket) return 0;
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
    item->unacknowledged = socket->idiag_wqueue;
    /* The kernel adds it to INET_DIAG_INFO for CAP_NET_ADMIN (inet_sk_diag_fill in net/ipv4/inet_diag.c). */
    item->has_keys = attribute_of(message, INET_DIAG_MD5SIG, 0) != NULL;
    return 0;
}

static int dump(int fd, int family, const struct question *question, struct list *list) {
    struct inet_diag_sockid any = {0};
    int result = send_request(fd, family, NLM_F_DUMP, &any, question);

    return result < 0 ? result : diag_take_all(fd, append, list);
}

static int dump_both(const struct question *question, struct diag_connection **out, size_t *count) {
    struct list list = {0};
    int fd = diag_open(), result;

    if (fd < 0) return fd;
    result = dump(fd, AF_INET, question, &list);
    if (result == 0) result = dump(fd, AF_INET6, question, &list);
    if (result == 0) {
        *out = list.items;
        *count = list.count;
    } else {
        free(list.items);
    }
    close(fd);
    return result;
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
