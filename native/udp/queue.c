#include "udp/queue.h"

#include "tcp/repair.h"
#include "socket/udp_header.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    /* The loopback interface delivers at once, unless the host is out of breath. */
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

static bool is_mapped(const union socket_address *address) {
    return address->any.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr);
}

/* On the wire. */
static union socket_address plain(const union socket_address *address) {
    union socket_address v4 = {.v4 = {.sin_family = AF_INET, .sin_port = address->v6.sin6_port}};

    if (!is_mapped(address)) return *address;
    memcpy(&v4.v4.sin_addr, &address->v6.sin6_addr.s6_addr[12], sizeof v4.v4.sin_addr);
    return v4;
}

static bool is_group(const union socket_address *address) {
    union socket_address wire = plain(address);
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
    union socket_address from = plain(&datagram->source), wire = plain(to), destination = wire;
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
        destination.v6.sin6_port = 0; /* rawv6_sendmsg() takes it for a protocol */
    return sendmsg(raw, &message, 0) < 0 ? -errno : 0;
}

static int disconnect(struct filling *filling) {
    const struct sockaddr none = {.sa_family = AF_UNSPEC};

    filling->is_connected = false;
    return connect(filling->fd, &none, sizeof none) ? -errno : 0;
}

/* So the kernel's look-up finds this socket, whatever other sockets have its port. */
static int connect_to(struct filling *filling, const union socket_address *source) {
    int result;

    if (filling->is_connected && socket_address_equal(&filling->connected, source)) return 0;
    result = disconnect(filling); /* or its own address would stay that of the route to the last one */
    if (result < 0) return result;
    if (connect(filling->fd, &source->any, socket_address_length(source))) return -errno;
    filling->connected = *source;
    filling->is_connected = true;
    return 0;
}

/* Memory of what is in its queue: each datagram that comes adds to it. */
static int queued(int fd, uint32_t *memory) {
    uint32_t info[SK_MEMINFO_VARS];
    socklen_t length = sizeof info;

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length)) return -errno;
    *memory = info[SK_MEMINFO_RMEM_ALLOC];
    return 0;
}

/* Mostly it is there when sendmsg() returns: the sender's own processor delivers it. 1: there. 0: it does not come. */
static int await_arrival(int fd, uint32_t before) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    int epoll = -1, result, woken = 1;
    uint32_t now = 0;

    while ((result = queued(fd, &now)) == 0 && now <= before && woken > 0) {
        if (epoll < 0) {
            epoll = epoll_create1(EPOLL_CLOEXEC);
            if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) {
                result = -errno;
                break;
            }
        }
        woken = epoll_wait(epoll, &event, 1, ARRIVAL_TIMEOUT_MS);
    }
    if (epoll >= 0) close(epoll);
    return result < 0 ? result : now > before;
}

/* 1: it is in the queue. 0: it is lost. */
static int put(struct filling *filling, const struct udp_datagram *datagram) {
    union socket_address local;
    uint32_t before = 0;
    int result;

    /* Sent to a group, it would reach every member on this host; sent to us, it would say so. */
    if (filling->destination_shows && is_group(&datagram->destination)) return 0;
    if (connect_to(filling, &datagram->source) < 0) return 0; /* no route from here */
    result = socket_local(filling->fd, &local);
    if (result == 0) result = queued(filling->fd, &before);
    if (result < 0) return result;
    if (send_packet(filling, &local, datagram) < 0) return 0;
    return await_arrival(filling->fd, before);
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
