#include "socket/options.h"

#include "kernel/array.h"
#include "socket/socket.h"

#include <errno.h>
#include <linux/in6.h>
#include <linux/types.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Some C library's headers are older than these options; the numbers are the kernel's. */
#ifndef SO_RCVMARK
#define SO_RCVMARK 75
#endif
#define SO_RCVPRIORITY_NUMBER 82
#define SO_TXREHASH_NUMBER 74
#define SO_RESERVE_MEM_NUMBER 73
#define SO_PREFER_BUSY_POLL_NUMBER 69
#define SO_BUSY_POLL_BUDGET_NUMBER 70
#define TCP_RTO_MAX_MS_NUMBER 44
#define TCP_RTO_MIN_US_NUMBER 45
#define TCP_DELACK_MAX_US_NUMBER 46
#define IP_LOCAL_PORT_RANGE_NUMBER 51
#define IP_RECVERR_RFC4884_NUMBER 26
#define IPV6_RECVERR_RFC4884_NUMBER 31
#define IPV6_MULTICAST_ALL_NUMBER 29

/* A socket that is connected tells what it uses, not what was set; on a stream, multicast means nothing. */
enum when { ALWAYS, UNCONNECTED, DATAGRAM };

#define ANY(level, name) \
    { level, name, ALWAYS, #name }
#define NUMBERED(level, name) \
    { level, name##_NUMBER, ALWAYS, #name }

/* SO_PRIORITY follows whatever sets the type of service, which changes it (ip_sock_set_tos, net/ipv4/ip_sockglue.c). */
static const struct known_option {
    int level, name;
    enum when when;
    const char *text;
} known[] = {
    ANY(SOL_SOCKET, SO_BINDTODEVICE),
    ANY(SOL_SOCKET, SO_DEBUG),
    {SOL_SOCKET, SO_INCOMING_CPU, UNCONNECTED, "SO_INCOMING_CPU"},
    ANY(SOL_SOCKET, SO_MARK),
    ANY(SOL_SOCKET, SO_DONTROUTE),
    ANY(SOL_SOCKET, SO_REUSEADDR),
    ANY(SOL_SOCKET, SO_REUSEPORT),
    ANY(SOL_SOCKET, SO_BROADCAST),
    ANY(SOL_SOCKET, SO_KEEPALIVE),
    ANY(SOL_SOCKET, SO_OOBINLINE),
    ANY(SOL_SOCKET, SO_LINGER),
    ANY(SOL_SOCKET, SO_RCVLOWAT),
    ANY(SOL_SOCKET, SO_RCVTIMEO),
    ANY(SOL_SOCKET, SO_SNDTIMEO),
    ANY(SOL_SOCKET, SO_NO_CHECK),
    ANY(SOL_SOCKET, SO_TIMESTAMP_OLD),
    ANY(SOL_SOCKET, SO_TIMESTAMP_NEW),
    ANY(SOL_SOCKET, SO_TIMESTAMPNS_OLD),
    ANY(SOL_SOCKET, SO_TIMESTAMPNS_NEW),
    ANY(SOL_SOCKET, SO_TIMESTAMPING_OLD),
    ANY(SOL_SOCKET, SO_TIMESTAMPING_NEW),
    ANY(SOL_SOCKET, SO_RXQ_OVFL),
    ANY(SOL_SOCKET, SO_WIFI_STATUS),
    ANY(SOL_SOCKET, SO_NOFCS),
    ANY(SOL_SOCKET, SO_SELECT_ERR_QUEUE),
    ANY(SOL_SOCKET, SO_BUSY_POLL),
    NUMBERED(SOL_SOCKET, SO_PREFER_BUSY_POLL),
    NUMBERED(SOL_SOCKET, SO_BUSY_POLL_BUDGET),
    ANY(SOL_SOCKET, SO_MAX_PACING_RATE),
    ANY(SOL_SOCKET, SO_ZEROCOPY),
    ANY(SOL_SOCKET, SO_PEEK_OFF),
    NUMBERED(SOL_SOCKET, SO_RESERVE_MEM),
    NUMBERED(SOL_SOCKET, SO_TXREHASH),
    ANY(SOL_SOCKET, SO_RCVMARK),
    NUMBERED(SOL_SOCKET, SO_RCVPRIORITY),
    ANY(IPPROTO_IP, IP_TOS),
    ANY(IPPROTO_IP, IP_TTL),
    ANY(IPPROTO_IP, IP_OPTIONS),
    ANY(IPPROTO_IP, IP_FREEBIND),
    ANY(IPPROTO_IP, IP_TRANSPARENT),
    ANY(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
    NUMBERED(IPPROTO_IP, IP_LOCAL_PORT_RANGE),
    ANY(IPPROTO_IP, IP_MTU_DISCOVER),
    ANY(IPPROTO_IP, IP_MINTTL),
    ANY(IPPROTO_IP, IP_RECVERR),
    NUMBERED(IPPROTO_IP, IP_RECVERR_RFC4884),
    ANY(IPPROTO_IP, IP_PKTINFO),
    ANY(IPPROTO_IP, IP_RECVTTL),
    ANY(IPPROTO_IP, IP_RECVTOS),
    ANY(IPPROTO_IP, IP_RECVOPTS),
    ANY(IPPROTO_IP, IP_RETOPTS),
    ANY(IPPROTO_IP, IP_PASSSEC),
    ANY(IPPROTO_IP, IP_RECVORIGDSTADDR),
    ANY(IPPROTO_IP, IP_CHECKSUM),
    ANY(IPPROTO_IP, IP_RECVFRAGSIZE),
    {IPPROTO_IP, IP_MULTICAST_TTL, DATAGRAM, "IP_MULTICAST_TTL"},
    {IPPROTO_IP, IP_MULTICAST_LOOP, DATAGRAM, "IP_MULTICAST_LOOP"},
    {IPPROTO_IP, IP_MULTICAST_ALL, DATAGRAM, "IP_MULTICAST_ALL"},
    ANY(IPPROTO_IPV6, IPV6_V6ONLY),
    ANY(IPPROTO_IPV6, IPV6_FREEBIND),
    ANY(IPPROTO_IPV6, IPV6_TRANSPARENT),
    ANY(IPPROTO_IPV6, IPV6_UNICAST_HOPS),
    ANY(IPPROTO_IPV6, IPV6_TCLASS),
    ANY(IPPROTO_IPV6, IPV6_DONTFRAG),
    ANY(IPPROTO_IPV6, IPV6_MTU_DISCOVER),
    ANY(IPPROTO_IPV6, IPV6_MINHOPCOUNT),
    ANY(IPPROTO_IPV6, IPV6_AUTOFLOWLABEL),
    ANY(IPPROTO_IPV6, IPV6_FLOWINFO),
    ANY(IPPROTO_IPV6, IPV6_FLOWINFO_SEND),
    ANY(IPPROTO_IPV6, IPV6_ADDR_PREFERENCES),
    ANY(IPPROTO_IPV6, IPV6_ROUTER_ALERT_ISOLATE),
    ANY(IPPROTO_IPV6, IPV6_RECVERR),
    NUMBERED(IPPROTO_IPV6, IPV6_RECVERR_RFC4884),
    ANY(IPPROTO_IPV6, IPV6_RECVPKTINFO),
    ANY(IPPROTO_IPV6, IPV6_RECVHOPLIMIT),
    ANY(IPPROTO_IPV6, IPV6_RECVTCLASS),
    ANY(IPPROTO_IPV6, IPV6_RECVRTHDR),
    ANY(IPPROTO_IPV6, IPV6_RECVHOPOPTS),
    ANY(IPPROTO_IPV6, IPV6_RECVDSTOPTS),
    ANY(IPPROTO_IPV6, IPV6_RECVPATHMTU),
    ANY(IPPROTO_IPV6, IPV6_RECVORIGDSTADDR),
    ANY(IPPROTO_IPV6, IPV6_RECVFRAGSIZE),
    ANY(IPPROTO_IPV6, IPV6_2292PKTINFO),
    ANY(IPPROTO_IPV6, IPV6_2292HOPLIMIT),
    ANY(IPPROTO_IPV6, IPV6_2292HOPOPTS),
    ANY(IPPROTO_IPV6, IPV6_2292RTHDR),
    ANY(IPPROTO_IPV6, IPV6_2292DSTOPTS),
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, DATAGRAM, "IPV6_MULTICAST_HOPS"},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, DATAGRAM, "IPV6_MULTICAST_LOOP"},
    {IPPROTO_IPV6, IPV6_MULTICAST_ALL_NUMBER, DATAGRAM, "IPV6_MULTICAST_ALL"},
    ANY(IPPROTO_UDP, UDP_NO_CHECK6_TX),
    ANY(IPPROTO_UDP, UDP_NO_CHECK6_RX),
    ANY(IPPROTO_UDP, UDP_SEGMENT),
    ANY(IPPROTO_UDP, UDP_GRO),
    ANY(SOL_SOCKET, SO_TXTIME),
    ANY(SOL_SOCKET, SO_PRIORITY),
    ANY(IPPROTO_TCP, TCP_CONGESTION),
    ANY(IPPROTO_TCP, TCP_NODELAY),
    ANY(IPPROTO_TCP, TCP_CORK),
    ANY(IPPROTO_TCP, TCP_KEEPIDLE),
    ANY(IPPROTO_TCP, TCP_KEEPINTVL),
    ANY(IPPROTO_TCP, TCP_KEEPCNT),
    ANY(IPPROTO_TCP, TCP_USER_TIMEOUT),
    ANY(IPPROTO_TCP, TCP_SYNCNT),
    ANY(IPPROTO_TCP, TCP_LINGER2),
    ANY(IPPROTO_TCP, TCP_DEFER_ACCEPT),
    ANY(IPPROTO_TCP, TCP_WINDOW_CLAMP),
    {IPPROTO_TCP, TCP_MAXSEG, UNCONNECTED, "TCP_MAXSEG"},
    ANY(IPPROTO_TCP, TCP_NOTSENT_LOWAT),
    ANY(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS),
    ANY(IPPROTO_TCP, TCP_SAVE_SYN),
    ANY(IPPROTO_TCP, TCP_INQ),
    ANY(IPPROTO_TCP, TCP_TX_DELAY),
    {IPPROTO_TCP, TCP_FASTOPEN, UNCONNECTED, "TCP_FASTOPEN"},
    {IPPROTO_TCP, TCP_FASTOPEN_CONNECT, UNCONNECTED, "TCP_FASTOPEN_CONNECT"},
    {IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, UNCONNECTED, "TCP_FASTOPEN_NO_COOKIE"},
    {IPPROTO_TCP, TCP_FASTOPEN_KEY, UNCONNECTED, "TCP_FASTOPEN_KEY"},
    NUMBERED(IPPROTO_TCP, TCP_RTO_MAX_MS),
    NUMBERED(IPPROTO_TCP, TCP_RTO_MIN_US),
    NUMBERED(IPPROTO_TCP, TCP_DELACK_MAX_US),
};
#define KNOWN (sizeof known / sizeof known[0])

_Static_assert(KNOWN <= SOCKET_OPTIONS_MAX, "room for all of them");

/* A bit for each `when` that is now, on this socket. */
static unsigned now_of(int fd) {
    struct sockaddr_storage peer;
    struct tcp_info info;
    socklen_t length = sizeof peer;

    if (socket_tcp_info(fd, &info) < 0) {
        bool is_connected = getpeername(fd, (struct sockaddr *)&peer, &length) == 0;
        return 1u << ALWAYS | 1u << DATAGRAM | (is_connected ? 0 : 1u << UNCONNECTED);
    }
    if (info.tcpi_state == TCP_CLOSE || info.tcpi_state == TCP_LISTEN) return 1u << ALWAYS | 1u << UNCONNECTED;
    return 1u << ALWAYS;
}

static bool get(int fd, const struct known_option *one, struct socket_option *option) {
    socklen_t length = sizeof option->value;

    *option = (struct socket_option){.level = one->level, .name = one->name};
    if (getsockopt(fd, one->level, one->name, option->value, &length) || length > sizeof option->value) return false;
    option->length = length;
    return true;
}

static bool is_same(const struct socket_option *a, const struct socket_option *b) {
    return a->length == b->length && memcmp(a->value, b->value, a->length) == 0;
}

struct untouched_socket {
    int family, type, protocol;
    /* In the order of `known`. */
    bool has[KNOWN];
    struct socket_option options[KNOWN];
};

static int kind_of(int fd, struct untouched_socket *kind) {
    int result = socket_get(fd, SOL_SOCKET, SO_DOMAIN, &kind->family);

    if (result == 0) result = socket_get(fd, SOL_SOCKET, SO_TYPE, &kind->type);
    if (result == 0) result = socket_get(fd, SOL_SOCKET, SO_PROTOCOL, &kind->protocol);
    return result;
}

/* Whether a socket of this kind can have options of that level at all. */
static bool has_level(const struct untouched_socket *kind, int level) {
    switch (level) {
    case IPPROTO_IPV6: return kind->family == AF_INET6;
    case IPPROTO_TCP:
    case IPPROTO_UDP: return kind->protocol == level;
    default: return true;
    }
}

static int ask_new(struct untouched_socket *kind) {
    int fd = socket(kind->family, kind->type | SOCK_CLOEXEC, kind->protocol);

    if (fd < 0) return -errno;
    for (size_t i = 0; i < KNOWN; i++)
        kind->has[i] = has_level(kind, known[i].level) && get(fd, &known[i], &kind->options[i]);
    close(fd);
    return 0;
}

/* *found is valid until the next call. */
static int find_untouched(int fd, struct untouched_sockets *untouched, const struct untouched_socket **found) {
    struct untouched_socket kind = {0}, *kinds;
    int result = kind_of(fd, &kind);

    if (result < 0) return result;
    for (size_t i = 0; i < untouched->count; i++) {
        *found = &untouched->kinds[i];
        if ((*found)->family == kind.family && (*found)->type == kind.type && (*found)->protocol == kind.protocol)
            return 0;
    }
    result = ask_new(&kind);
    if (result < 0) return result;
    kinds = array_grow(untouched->kinds, untouched->count, sizeof *kinds);
    if (!kinds) return -ENOMEM;
    kinds[untouched->count] = kind;
    *found = &kinds[untouched->count++];
    untouched->kinds = kinds;
    return 0;
}

void untouched_sockets_free(struct untouched_sockets *untouched) {
    free(untouched->kinds);
    *untouched = (struct untouched_sockets){0};
}

int socket_read_options(int fd, struct untouched_sockets *untouched, struct socket_option *options, size_t *count) {
    const struct untouched_socket *as_new;
    unsigned now = now_of(fd);
    int result = find_untouched(fd, untouched, &as_new);

    if (result < 0) return result;
    *count = 0;
    for (size_t i = 0; i < KNOWN; i++) {
        if (!(now & 1u << known[i].when) || !has_level(as_new, known[i].level)) continue;
        if (!get(fd, &known[i], &options[*count])) continue;
        if (!as_new->has[i] || !is_same(&as_new->options[i], &options[*count])) (*count)++;
    }
    return 0;
}

static const struct known_option *find(const struct socket_option *option) {
    for (size_t i = 0; i < KNOWN; i++)
        if (known[i].level == option->level && known[i].name == option->name) return &known[i];
    return NULL;
}

static bool is_among(const struct known_option *one, const struct socket_option *options, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (options[i].level == one->level && options[i].name == one->name) return true;
    return false;
}

/* CRIU leaves options behind that it needed itself: SO_REUSEPORT on every connection (open_inet_sk, criu/sk-inet.c). */
static int reset_others(int fd, struct untouched_sockets *untouched, const struct socket_option *options,
                        size_t count) {
    const struct untouched_socket *as_new;
    int result = find_untouched(fd, untouched, &as_new);
    unsigned now = now_of(fd);

    for (size_t i = 0; result == 0 && i < KNOWN; i++) {
        const struct socket_option *wanted = &as_new->options[i];
        struct socket_option found;

        if (!(now & 1u << known[i].when) || !as_new->has[i] || is_among(&known[i], options, count)) continue;
        if (!get(fd, &known[i], &found) || is_same(wanted, &found)) continue;
        /* An option that cannot be set only tells what the socket is doing. */
        setsockopt(fd, known[i].level, known[i].name, wanted->value, wanted->length);
    }
    return result;
}

/* The kernel says so where only the moment is wrong: the socket is not bound yet, or not connected. */
static bool is_too_early(int error) { return error == EINVAL || error == ENOTCONN; }

int socket_write_options(int fd, struct untouched_sockets *untouched, const struct socket_option *options, size_t count,
                         bool early, const char **refused) {
    int first = 0, result;

    *refused = "socket";
    if (early && (result = reset_others(fd, untouched, options, count)) < 0) return result;
    for (size_t i = 0; i < count; i++) {
        const struct known_option *one = find(&options[i]);
        struct socket_option now;

        if (!one || options[i].length > sizeof options[i].value) {
            *refused = "setsockopt";
            return -EINVAL;
        }
        if (get(fd, one, &now) && is_same(&now, &options[i])) continue;
        if (setsockopt(fd, one->level, one->name, options[i].value, options[i].length) == 0) continue;
        if (first || (early && is_too_early(errno))) continue;
        first = -errno;
        *refused = one->text;
    }
    return first;
}

int socket_refused_option(int family, int type, int protocol, const struct socket_option *options, size_t count,
                          const char **refused) {
    struct untouched_sockets untouched = {0};
    int fd = socket(family, type | SOCK_CLOEXEC, protocol);

    if (fd < 0) return -errno;
    if (socket_write_options(fd, &untouched, options, count, true, refused) == 0) *refused = NULL;
    untouched_sockets_free(&untouched);
    close(fd);
    return 0;
}

int socket_why_not_bound(int family, const struct socket_option *options, size_t count,
                         const union socket_address *local, bool listens, int *reason) {
    struct untouched_sockets untouched = {0};
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const char *ignored;

    if (fd < 0) return -errno;
    socket_write_options(fd, &untouched, options, count, true, &ignored);
    *reason = socket_bind(fd, local, listens ? 1 : -1, &ignored);
    untouched_sockets_free(&untouched);
    close(fd);
    return 0;
}
