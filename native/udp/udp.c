/* udp_save_all: reading a UDP socket, which stays as it is. */
#include "udp/udp.h"

#include "tcp/repair.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    /* More than the largest datagram, and than what UDP_GRO makes of several (GRO_LEGACY_MAX_SIZE, include/linux/netdevice.h). */
    DATAGRAM_MAX = 128 * 1024,
    /* Besides ours, whatever the program wants to be told. */
    CONTROL_MAX = 2048,
    DEFAULT_HOP_LIMIT = 64,
    /* ICMP errors may go on coming while the queue is read; more than that is something else. */
    ERRORS_MAX = 64,
};

/* What is told beside a datagram only where it is asked for; also of one that came before that (ip_cmsg_recv_offset()). */
static const struct {
    int family, level, name;
} questions[] = {
    {AF_INET, IPPROTO_IP, IP_PKTINFO},           {AF_INET, IPPROTO_IP, IP_RECVTTL},
    {AF_INET, IPPROTO_IP, IP_RECVTOS},           {AF_INET6, IPPROTO_IPV6, IPV6_RECVPKTINFO},
    {AF_INET6, IPPROTO_IPV6, IPV6_RECVHOPLIMIT}, {AF_INET6, IPPROTO_IPV6, IPV6_RECVTCLASS},
    {AF_INET6, IPPROTO_IP, IP_RECVTTL},          {AF_INET6, IPPROTO_IP, IP_RECVTOS},
};
enum { QUESTIONS = sizeof questions / sizeof *questions };

/* Reading the queue of one socket. */
struct reading {
    int fd, family;
    uint8_t *bytes; /* DATAGRAM_MAX */
    struct udp_datagram *datagrams;
    size_t count, room;
    int errors;
};

/* What is told beside a datagram. */
struct told {
    union socket_address destination;
    int hop_limit, traffic_class, segment;
};

static void take_destination(const struct cmsghdr *item, struct told *told) {
    if (item->cmsg_level == IPPROTO_IPV6) {
        struct in6_pktinfo info;

        memcpy(&info, CMSG_DATA(item), sizeof info);
        told->destination = (union socket_address){.v6 = {.sin6_family = AF_INET6, .sin6_addr = info.ipi6_addr}};
    } else {
        struct in_pktinfo info;

        memcpy(&info, CMSG_DATA(item), sizeof info);
        told->destination = (union socket_address){.v4 = {.sin_family = AF_INET, .sin_addr = info.ipi_addr}};
    }
}

static bool is_item(const struct cmsghdr *item, int level, int type, size_t size) {
    return item->cmsg_level == level && item->cmsg_type == type && item->cmsg_len >= CMSG_LEN(size);
}

static struct told read_control(struct msghdr *message) {
    struct told told = {.hop_limit = DEFAULT_HOP_LIMIT};

    for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item; item = CMSG_NXTHDR(message, item)) {
        const void *data = CMSG_DATA(item);

        if (is_item(item, IPPROTO_IP, IP_PKTINFO, sizeof(struct in_pktinfo)) ||
            is_item(item, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(struct in6_pktinfo)))
            take_destination(item, &told);
        else if (is_item(item, IPPROTO_IP, IP_TTL, sizeof(int)) ||
                 is_item(item, IPPROTO_IPV6, IPV6_HOPLIMIT, sizeof(int)))
            memcpy(&told.hop_limit, data, sizeof told.hop_limit);
        else if (is_item(item, IPPROTO_IPV6, IPV6_TCLASS, sizeof(int)))
            memcpy(&told.traffic_class, data, sizeof told.traffic_class);
        else if (is_item(item, IPPROTO_IP, IP_TOS, sizeof(uint8_t)))
            told.traffic_class = *(const uint8_t *)data;
        else if (is_item(item, IPPROTO_UDP, UDP_GRO, sizeof(int)))
            memcpy(&told.segment, data, sizeof told.segment);
    }
    return told;
}

static int keep(struct reading *reading, const union socket_address *source, const struct told *told,
                const uint8_t *bytes, size_t length) {
    struct udp_datagram *datagram;

    if (reading->count == reading->room) {
        size_t room = reading->room ? reading->room * 2 : 16;
        struct udp_datagram *larger = realloc(reading->datagrams, room * sizeof *larger);

        if (!larger) return -ENOMEM;
        reading->datagrams = larger;
        reading->room = room;
    }
    datagram = &reading->datagrams[reading->count];
    *datagram = (struct udp_datagram){.source = *source,
                                      .destination = told->destination,
                                      .hop_limit = (uint8_t)told->hop_limit,
                                      .traffic_class = (uint8_t)told->traffic_class,
                                      .length = (uint32_t)length};
    if (length && !(datagram->bytes = malloc(length))) return -ENOMEM;
    if (length) memcpy(datagram->bytes, bytes, length);
    reading->count++;
    return 0;
}

/* 1: one more. 0: that was all. Several datagrams that UDP_GRO made one are several again. */
static int read_one(struct reading *reading) {
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_MAX];
    union socket_address source = {0};
    struct iovec data = {.iov_base = reading->bytes, .iov_len = DATAGRAM_MAX};
    struct msghdr message = {.msg_name = &source,
                             .msg_namelen = sizeof source,
                             .msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    ssize_t length = recvmsg(reading->fd, &message, MSG_PEEK | MSG_DONTWAIT);
    struct told told;
    int result;

    if (length < 0 && errno == EAGAIN) return 0;
    /* An ICMP error comes before the queue, and once (sock_error() in __skb_recv_udp(), net/ipv4/udp.c). */
    if (length < 0) return reading->errors++ < ERRORS_MAX ? 1 : -errno;
    told = read_control(&message);
    if (told.segment <= 0 || told.segment >= length) {
        result = keep(reading, &source, &told, reading->bytes, (size_t)length);
        return result < 0 ? result : 1;
    }
    for (ssize_t done = 0; done < length; done += told.segment) {
        ssize_t rest = length - done;

        result =
            keep(reading, &source, &told, reading->bytes + done, (size_t)(rest < told.segment ? rest : told.segment));
        if (result < 0) return result;
    }
    return 1;
}

/* `was` is what the program had set; -1 for what is not asked of this family. */
static int ask(const struct reading *reading, int was[QUESTIONS]) {
    int result = 0;

    for (size_t i = 0; i < QUESTIONS; i++) was[i] = -1;
    for (size_t i = 0; result == 0 && i < QUESTIONS; i++) {
        if (questions[i].family != reading->family) continue;
        result = socket_get(reading->fd, questions[i].level, questions[i].name, &was[i]);
        if (result == 0) result = socket_set(reading->fd, questions[i].level, questions[i].name, 1);
    }
    return result;
}

static int unask(const struct reading *reading, const int was[QUESTIONS]) {
    int first = 0;

    for (size_t i = 0; i < QUESTIONS; i++) {
        int result = was[i] < 0 ? 0 : socket_set(reading->fd, questions[i].level, questions[i].name, was[i]);

        if (first == 0) first = result;
    }
    return first;
}

static int walk(struct reading *reading) {
    int peek_offset, put_back, result = socket_get(reading->fd, SOL_SOCKET, SO_PEEK_OFF, &peek_offset);

    if (result == 0) result = socket_set(reading->fd, SOL_SOCKET, SO_PEEK_OFF, 0);
    if (result < 0) return result;
    reading->bytes = malloc(DATAGRAM_MAX);
    if (!reading->bytes)
        result = -ENOMEM;
    else
        do result = read_one(reading);
        while (result == 1);
    free(reading->bytes);
    put_back = socket_set(reading->fd, SOL_SOCKET, SO_PEEK_OFF, peek_offset);
    return result < 0 ? result : put_back;
}

static int read_queue(int fd, struct udp_saved *saved) {
    struct reading reading = {.fd = fd, .family = saved->family};
    int was[QUESTIONS], result = ask(&reading, was), put_back;

    if (result == 0) result = walk(&reading);
    put_back = unask(&reading, was);
    saved->datagrams = reading.datagrams;
    saved->datagram_count = reading.count;
    return result < 0 ? result : put_back;
}

static int read_multicast_interface(int fd, struct udp_saved *saved) {
    socklen_t length = sizeof saved->multicast_interface;

    return getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &saved->multicast_interface, &length) ? -errno : 0;
}

static int save_one(int fd, struct udp_saved *saved, const char **step) {
    int result;

    memset(saved, 0, sizeof *saved);
    *step = "getsockname";
    if ((result = socket_local(fd, &saved->local)) < 0) return result;
    saved->family = saved->local.any.sa_family;
    if ((result = socket_remote(fd, saved->family, &saved->remote)) < 0) return result;
    *step = "if_indextoname";
    result = udp_interfaces_read(fd, saved->interfaces, &saved->interface_count);
    if (result < 0) return result;
    *step = "MCAST_MSFILTER";
    if ((result = read_multicast_interface(fd, saved)) < 0) return result;
    result = udp_memberships_read(fd, saved->family, &saved->memberships, &saved->membership_count);
    if (result < 0) return result;
    *step = "MSG_PEEK";
    return read_queue(fd, saved);
}

int udp_save_all(const int *fds, size_t count, struct udp_saved *saved, struct failure *failure) {
    for (size_t i = 0; i < count; i++) {
        int result = save_one(fds[i], &saved[i], &failure->step);

        if (result == 0) continue;
        failure->index = i;
        for (size_t undo = 0; undo <= i; undo++) udp_saved_clear(&saved[undo]);
        return result;
    }
    return 0;
}

void udp_saved_clear(struct udp_saved *saved) {
    for (size_t i = 0; i < saved->datagram_count; i++) free(saved->datagrams[i].bytes);
    free(saved->datagrams);
    free(saved->memberships);
    memset(saved, 0, sizeof *saved);
}
