#include "udp/queue.h"

#include "kernel/array.h"
#include "socket/headers.h"
#include "socket/socket.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* Reading. */

enum {
    /* More than the largest datagram, and than what UDP_GRO makes of several (GRO_LEGACY_MAX_SIZE in
     * include/linux/netdevice.h). */
    DATAGRAM_MAX = 128 * 1024,
    /* Room for what we ask, and whatever else the program wants to be told. */
    CONTROL_MAX = 2048,
    DEFAULT_HOP_LIMIT = 64,
    /* ICMP errors may go on coming while the queue is read; more than that is something else. */
    ERRORS_MAX = 64,
};

/*
 * Options by which the kernel says how a datagram came, also of one that came before they were set
 * (ip_cmsg_recv_offset()).
 */
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
    size_t count;
    int errors;
};

/* How a datagram came: what recvmsg(2) says beside it. */
struct arrival {
    union socket_address destination;
    int hop_limit, traffic_class, segment;
};

static void take_destination(const struct cmsghdr *item, struct arrival *arrival) {
    if (item->cmsg_level == IPPROTO_IPV6) {
        struct in6_pktinfo info;

        memcpy(&info, CMSG_DATA(item), sizeof info);
        arrival->destination = (union socket_address){.v6 = {.sin6_family = AF_INET6, .sin6_addr = info.ipi6_addr}};
    } else {
        struct in_pktinfo info;

        memcpy(&info, CMSG_DATA(item), sizeof info);
        arrival->destination = (union socket_address){.v4 = {.sin_family = AF_INET, .sin_addr = info.ipi_addr}};
    }
}

static bool is_item(const struct cmsghdr *item, int level, int type, size_t size) {
    return item->cmsg_level == level && item->cmsg_type == type && item->cmsg_len >= CMSG_LEN(size);
}

static struct arrival read_control(struct msghdr *message) {
    struct arrival arrival = {.hop_limit = DEFAULT_HOP_LIMIT};

    for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item; item = CMSG_NXTHDR(message, item)) {
        const void *data = CMSG_DATA(item);

        if (is_item(item, IPPROTO_IP, IP_PKTINFO, sizeof(struct in_pktinfo)) ||
            is_item(item, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(struct in6_pktinfo)))
            take_destination(item, &arrival);
        else if (is_item(item, IPPROTO_IP, IP_TTL, sizeof(int)) ||
                 is_item(item, IPPROTO_IPV6, IPV6_HOPLIMIT, sizeof(int)))
            memcpy(&arrival.hop_limit, data, sizeof arrival.hop_limit);
        else if (is_item(item, IPPROTO_IPV6, IPV6_TCLASS, sizeof(int)))
            memcpy(&arrival.traffic_class, data, sizeof arrival.traffic_class);
        else if (is_item(item, IPPROTO_IP, IP_TOS, sizeof(uint8_t)))
            arrival.traffic_class = *(const uint8_t *)data;
        else if (is_item(item, IPPROTO_UDP, UDP_GRO, sizeof(int)))
            memcpy(&arrival.segment, data, sizeof arrival.segment);
    }
    return arrival;
}

static int append(struct reading *reading, const union socket_address *source, const struct arrival *arrival,
                  const uint8_t *bytes, size_t length) {
    struct udp_datagram *datagram = array_grow(reading->datagrams, reading->count, sizeof *datagram);

    if (!datagram) return -ENOMEM;
    reading->datagrams = datagram;
    datagram += reading->count;
    *datagram = (struct udp_datagram){.source = *source,
                                      .destination = arrival->destination,
                                      .hop_limit = (uint8_t)arrival->hop_limit,
                                      .traffic_class = (uint8_t)arrival->traffic_class,
                                      .length = (uint32_t)length};
    if (length && !(datagram->bytes = malloc(length))) return -ENOMEM;
    if (length) memcpy(datagram->bytes, bytes, length);
    reading->count++;
    return 0;
}

/* Returns 1 for one more, 0 when that was all. Several datagrams that UDP_GRO made one are several again. */
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
    struct arrival arrival;
    int result;

    if (length < 0 && errno == EAGAIN) return 0;
    /* An ICMP error is told of before the queue, and once (sock_error() in __skb_recv_udp(), net/ipv4/udp.c). */
    if (length < 0) return reading->errors++ < ERRORS_MAX ? 1 : -errno;
    arrival = read_control(&message);
    if (arrival.segment <= 0 || arrival.segment >= length) {
        result = append(reading, &source, &arrival, reading->bytes, (size_t)length);
        return result < 0 ? result : 1;
    }
    for (ssize_t done = 0; done < length; done += arrival.segment) {
        ssize_t rest = length - done;

        result = append(reading, &source, &arrival, reading->bytes + done,
                        (size_t)(rest < arrival.segment ? rest : arrival.segment));
        if (result < 0) return result;
    }
    return 1;
}

/* Sets the options; `was` is what the program had set, -1 for what a socket of this family has not got. */
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

int udp_queue_read(int fd, struct udp_saved *saved) {
    struct reading reading = {.fd = fd, .family = saved->family};
    int was[QUESTIONS], result = ask(&reading, was), put_back;

    if (result == 0) result = walk(&reading);
    put_back = unask(&reading, was);
    saved->datagrams = reading.datagrams;
    saved->datagram_count = reading.count;
    return result < 0 ? result : put_back;
}

/* Filling. */

enum {
    /* The loopback interface delivers at once, unless the host has no CPU to spare. */
    ARRIVAL_TIMEOUT_MS = 1000,
    PACKET_MAX = 65535,
};

struct filling {
    int fd;
    int raw[2]; /* for packets of IPv4 and IPv6; -1: not open yet */
    union socket_address connected;
    bool is_connected;
    bool destination_shows; /* the program asks where its datagrams were sent to */
};

static bool is_group(const union socket_address *address) {
    union socket_address wire = socket_address_plain(address);
    in_addr_t v4;

    if (wire.any.sa_family == AF_INET6) return IN6_IS_ADDR_MULTICAST(&wire.v6.sin6_addr);
    v4 = ntohl(wire.v4.sin_addr.s_addr);
    return IN_MULTICAST(v4) || v4 == INADDR_BROADCAST;
}

static size_t write_ip(uint8_t *header, const union socket_address *from, const union socket_address *to,
                       const struct udp_datagram *datagram) {
    size_t size = sizeof(struct udphdr) + datagram->length;

    if (from->any.sa_family == AF_INET6) {
        uint32_t flow = 6u << 28 | (uint32_t)datagram->traffic_class << 20;
        const struct ip6_hdr ip = {.ip6_flow = htonl(flow),
                                   .ip6_plen = htons((uint16_t)size),
                                   .ip6_nxt = IPPROTO_UDP,
                                   .ip6_hlim = datagram->hop_limit,
                                   .ip6_src = from->v6.sin6_addr,
                                   .ip6_dst = to->v6.sin6_addr};
        memcpy(header, &ip, sizeof ip);
        return sizeof ip;
    }
    const struct iphdr ip = {.version = 4,
                             .ihl = 5,
                             .tos = datagram->traffic_class,
                             .tot_len = htons((uint16_t)(sizeof(struct iphdr) + size)),
                             .ttl = datagram->hop_limit,
                             .protocol = IPPROTO_UDP,
                             .saddr = from->v4.sin_addr.s_addr,
                             .daddr = to->v4.sin_addr.s_addr};
    memcpy(header, &ip, sizeof ip);
    return sizeof ip;
}

/* A raw socket whose packets bring their own IP header. */
static int open_raw(struct filling *filling, int family) {
    int *raw = &filling->raw[family == AF_INET6];

    if (*raw >= 0) return *raw;
    *raw = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (*raw < 0) return -errno;
    return family == AF_INET6 && socket_set(*raw, IPPROTO_IPV6, IPV6_HDRINCL, 1) < 0 ? -errno : *raw;
}

static int send_packet(struct filling *filling, const union socket_address *to, const struct udp_datagram *datagram) {
    union socket_address from = socket_address_plain(&datagram->source), wire = socket_address_plain(to),
                         destination = wire;
    uint8_t header[sizeof(struct ip6_hdr)];
    struct udphdr udp = {.source = htons(socket_address_port(&from)),
                         .dest = htons(socket_address_port(&wire)),
                         .len = htons((uint16_t)(sizeof udp + datagram->length))};
    struct iovec parts[] = {
        {header, write_ip(header, &from, &wire, datagram)}, {&udp, sizeof udp}, {datagram->bytes, datagram->length}};
    struct msghdr message = {.msg_name = &destination,
                             .msg_namelen = socket_address_length(&destination),
                             .msg_iov = parts,
                             .msg_iovlen = sizeof parts / sizeof *parts};
    int raw = open_raw(filling, from.any.sa_family);

    if (raw < 0) return raw;
    if (sizeof udp + datagram->length > PACKET_MAX - (from.any.sa_family == AF_INET ? sizeof(struct iphdr) : 0))
        return -EMSGSIZE;
    udp.check = htons(udp_checksum(&from, &wire, &udp, datagram->bytes, datagram->length));
    if (destination.any.sa_family == AF_INET6)
        socket_address_set_port(&destination, 0); /* rawv6_sendmsg() takes it for a protocol */
    return sendmsg(raw, &message, 0) < 0 ? -errno : 0;
}

static int disconnect(struct filling *filling) {
    const struct sockaddr none = {.sa_family = AF_UNSPEC};

    filling->is_connected = false;
    return connect(filling->fd, &none, sizeof none) ? -errno : 0;
}

/* Connected, it is what the kernel's look-up finds, whatever other sockets have its port. */
static int connect_to(struct filling *filling, const union socket_address *source) {
    int result;

    if (filling->is_connected && socket_address_equal(&filling->connected, source)) return 0;
    result = disconnect(filling); /* else its own address stays that of the route to the last one */
    if (result < 0) return result;
    if (connect(filling->fd, &source->any, socket_address_length(source))) return -errno;
    filling->connected = *source;
    filling->is_connected = true;
    return 0;
}

/* The memory of what is in its queue: each datagram that comes adds to it. */
static int queued(int fd, uint32_t *memory) {
    uint32_t info[SK_MEMINFO_VARS] = {0};
    int result = socket_get_bytes(fd, SOL_SOCKET, SO_MEMINFO, info, sizeof info);

    *memory = info[SK_MEMINFO_RMEM_ALLOC];
    return result;
}

static int has_arrived(int fd, const void *before) {
    uint32_t now = 0;
    int result = queued(fd, &now);

    return result < 0 ? result : now > *(const uint32_t *)before;
}

/* Returns 1 when it is in the queue, 0 when it is lost. */
static int put(struct filling *filling, const struct udp_datagram *datagram) {
    union socket_address local;
    uint32_t before = 0;
    int result;

    /* Sent to its group, it would reach every member on this host; sent to us, it would show that to the program. */
    if (filling->destination_shows && is_group(&datagram->destination)) return 0;
    if (connect_to(filling, &datagram->source) < 0) return 0; /* no route from here */
    result = socket_local(filling->fd, &local);
    if (result == 0) result = queued(filling->fd, &before);
    if (result < 0) return result;
    if (send_packet(filling, &local, datagram) < 0) return 0;
    /* Mostly it is there when sendmsg() returns: the sender's own processor delivers it. */
    return udp_await(filling->fd, EPOLLIN, ARRIVAL_TIMEOUT_MS, has_arrived, &before);
}

static int shows_destination(int fd, int family, bool *shows) {
    static const struct {
        int level, name;
    } options[] = {
        {IPPROTO_IP, IP_PKTINFO},         {IPPROTO_IP, IP_RECVORIGDSTADDR},     {IPPROTO_IPV6, IPV6_RECVPKTINFO},
        {IPPROTO_IPV6, IPV6_2292PKTINFO}, {IPPROTO_IPV6, IPV6_RECVORIGDSTADDR},
    };

    *shows = false;
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        int value, result;

        if (options[i].level == IPPROTO_IPV6 && family != AF_INET6) continue;
        result = socket_get(fd, options[i].level, options[i].name, &value);
        if (result < 0) return result;
        if (value) *shows = true;
    }
    return 0;
}

int udp_queue_fill(int fd, const struct udp_saved *saved, size_t *lost) {
    struct filling filling = {.fd = fd, .raw = {-1, -1}};
    int result = shows_destination(fd, saved->family, &filling.destination_shows), disconnected;

    *lost = 0;
    for (size_t i = 0; result >= 0 && i < saved->datagram_count; i++) {
        result = put(&filling, &saved->datagrams[i]);
        if (result == 0) ++*lost;
    }
    disconnected = disconnect(&filling);
    for (size_t i = 0; i < 2; i++)
        if (filling.raw[i] >= 0) close(filling.raw[i]);
    return result < 0 ? result : disconnected;
}

int udp_await(int fd, uint32_t events, int timeout_ms, int (*is_so)(int fd, const void *context), const void *context) {
    struct epoll_event event = {.events = events | EPOLLET};
    int epoll = -1, result, woken = 1;

    while ((result = is_so(fd, context)) == 0 && woken > 0) {
        if (epoll < 0) {
            epoll = epoll_create1(EPOLL_CLOEXEC);
            if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) {
                result = -errno;
                break;
            }
        }
        woken = epoll_wait(epoll, &event, 1, timeout_ms);
    }
    if (epoll >= 0) close(epoll);
    return result;
}
