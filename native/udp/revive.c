/* udp_revive_all: a socket that CRIU made becomes what the saved one was, at another address. */
#include "socket/lock.h"
#include "tcp/repair.h"
#include "udp/queue.h"
#include "udp/udp.h"

#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* The kernel's own memory of a datagram, at worst, besides its bytes: a page, and struct sk_buff. */
enum { DATAGRAM_OVERHEAD = 8192 };

/* What a socket is told otherwise for a while; CRIU has restored it. */
struct kept {
    int reuse_address, receive_buffer, buffer_lock;
    char interface[IF_NAMESIZE];
    socklen_t interface_length;
    struct socket_record *record;
};

static int keep(int fd, struct kept *kept) {
    int result = socket_get(fd, SOL_SOCKET, SO_REUSEADDR, &kept->reuse_address);

    kept->interface_length = sizeof kept->interface;
    if (result == 0) result = socket_get(fd, SOL_SOCKET, SO_RCVBUF, &kept->receive_buffer);
    if (result == 0) result = socket_get(fd, SOL_SOCKET, SO_BUF_LOCK, &kept->buffer_lock);
    if (result < 0) return result;
    if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, kept->interface, &kept->interface_length)) return -errno;
    return 0;
}

static int set_interface(int fd, const char *name, socklen_t length) {
    return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, length) ? -errno : 0;
}

static bool is_bound(const union socket_address *local) { return socket_address_port(local) != 0; }

static bool is_multicast(const union socket_address *address) {
    if (address->any.sa_family == AF_INET6) return IN6_IS_ADDR_MULTICAST(&address->v6.sin6_addr);
    return IN_MULTICAST(ntohl(address->v4.sin_addr.s_addr));
}

static int bind_local(const struct udp_revival *revival) {
    if (!is_bound(&revival->local)) return 0;
    return bind(revival->fd, &revival->local.any, socket_address_length(&revival->local)) ? -errno : 0;
}

/* Locked; at its address, unless that is a group's, to which nothing can be sent that only this socket gets. */
static int prepare(const struct udp_revival *revival, struct kept *kept, const char **step) {
    int fd = revival->fd, result;

    *step = "SO_ATTACH_FILTER";
    if ((result = socket_lock_record(fd, &kept->record)) < 0) return result;
    if ((result = socket_lock_local(fd, kept->record)) < 0) return result;
    *step = "getsockopt";
    if ((result = keep(fd, kept)) < 0) return result;
    *step = "SO_REUSEADDR";
    if ((result = socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) < 0)
        return result; /* as each may have had it at its bind */
    *step = "bind";
    return is_multicast(&revival->local) ? 0 : bind_local(revival);
}

static int widen(int fd, const struct udp_saved *saved, const struct kept *kept) {
    uint64_t need = (uint64_t)kept->receive_buffer;

    for (size_t i = 0; i < saved->datagram_count; i++) need += 2ull * saved->datagrams[i].length + DATAGRAM_OVERHEAD;
    return socket_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, need > INT_MAX ? INT_MAX / 2 : (int)(need / 2));
}

static int narrow(int fd, const struct kept *kept) {
    int result = socket_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, kept->receive_buffer / 2); /* the kernel doubles it */

    return result < 0 ? result : socket_set(fd, SOL_SOCKET, SO_BUF_LOCK, kept->buffer_lock);
}

/* Taking a connection apart also takes the socket off its interface (__udp_disconnect() in net/ipv4/udp.c). */
static int fill(struct udp_revival *revival, const struct kept *kept) {
    const struct udp_saved *saved = revival->saved;
    int fd = revival->fd, result;

    revival->lost = 0;
    if (saved->datagram_count == 0) return 0;
    if ((result = set_interface(fd, "", 0)) < 0) return result;
    if ((result = widen(fd, saved, kept)) < 0) return result;
    if ((result = udp_queue_fill(fd, saved, &revival->lost)) < 0) return result;
    if ((result = narrow(fd, kept)) < 0) return result;
    return set_interface(fd, kept->interface, kept->interface_length);
}

static int connect_remote(const struct udp_revival *revival) {
    if (!is_bound(&revival->remote)) return 0;
    return connect(revival->fd, &revival->remote.any, socket_address_length(&revival->remote)) ? -errno : 0;
}

static int set_multicast(int fd, const struct udp_saved *saved) {
    const struct ip_mreqn interface = {.imr_address = saved->multicast_interface};

    int result = udp_interfaces_set(fd, saved->interfaces, saved->interface_count);

    if (result < 0) return result;
    if (saved->multicast_interface.s_addr && setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof interface))
        return -errno;
    return udp_memberships_join(fd, saved->memberships, saved->membership_count);
}

/* From here on it takes what comes. */
static int open_up(const struct udp_revival *revival, struct kept *kept) {
    int result = socket_set(revival->fd, SOL_SOCKET, SO_REUSEADDR, kept->reuse_address);

    if (result == 0) result = socket_unlock(revival->fd, kept->record);
    if (result == 0) socket_record_drop(kept->record->cookie);
    return result;
}

static int complete(struct udp_revival *revival, struct kept *kept, const char **step) {
    const struct udp_saved *saved = revival->saved;
    int result;

    *step = "receive queue";
    if ((result = fill(revival, kept)) < 0) return result;
    *step = "bind";
    if (is_multicast(&revival->local) && (result = bind_local(revival)) < 0) return result;
    *step = "connect";
    if ((result = connect_remote(revival)) < 0) return result;
    *step = "MCAST_JOIN_GROUP";
    if ((result = set_multicast(revival->fd, saved)) < 0) return result;
    *step = "SO_DETACH_FILTER";
    return open_up(revival, kept);
}

static void forget(const struct udp_revival *revivals, size_t count) {
    for (size_t i = 0; i < count; i++) {
        uint64_t cookie;

        if (socket_cookie(revivals[i].fd, &cookie) == 0) socket_record_drop(cookie);
    }
}

/* In two rounds: a port may be shared by sockets of which not each has SO_REUSEADDR any more. */
int udp_revive_all(struct udp_revival *revivals, size_t count, struct failure *failure) {
    struct kept *kept = calloc(count ? count : 1, sizeof *kept);
    int result = kept ? 0 : -ENOMEM;

    *failure = (struct failure){.step = "calloc"};
    for (size_t i = 0; result == 0 && i < count; i++) {
        failure->index = i;
        result = prepare(&revivals[i], &kept[i], &failure->step);
    }
    for (size_t i = 0; result == 0 && i < count; i++) {
        failure->index = i;
        result = complete(&revivals[i], &kept[i], &failure->step);
    }
    if (result < 0) forget(revivals, count);
    free(kept);
    return result;
}
