#include "udp/udp.h"

#include "socket/lock.h"
#include "socket/socket.h"
#include "udp/queue.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

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
    result = socket_get_bytes(fd, IPPROTO_IP, IP_MULTICAST_IF, &saved->multicast_interface, sizeof(struct in_addr));
    if (result < 0) return result;
    result = udp_memberships_read(fd, saved->family, &saved->memberships, &saved->membership_count);
    if (result < 0) return result;
    *step = "MSG_PEEK";
    return udp_queue_read(fd, saved);
}

int udp_save(const int *fds, size_t count, struct udp_saved *saved, struct failure *failure) {
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

/* The kernel's own memory of a datagram, at worst, besides its bytes: a page, and struct sk_buff. */
enum { DATAGRAM_OVERHEAD = 8192 };

/* Settings that CRIU has restored, and that are others while the socket is revived. */
struct settings {
    int reuse_address, receive_buffer, buffer_lock;
    char interface[IF_NAMESIZE];
    socklen_t interface_length;
    struct socket_record *record;
};

static int note_settings(int fd, struct settings *settings) {
    int result = socket_get(fd, SOL_SOCKET, SO_REUSEADDR, &settings->reuse_address);

    settings->interface_length = sizeof settings->interface;
    if (result == 0) result = socket_get(fd, SOL_SOCKET, SO_RCVBUF, &settings->receive_buffer);
    if (result == 0) result = socket_get(fd, SOL_SOCKET, SO_BUF_LOCK, &settings->buffer_lock);
    if (result < 0) return result;
    if (getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, settings->interface, &settings->interface_length)) return -errno;
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

/*
 * Locks it and binds it to its address, unless that is a group's, to which nothing can be sent that only this socket
 * gets.
 */
static int prepare(const struct udp_revival *revival, struct settings *settings, const char **step) {
    int fd = revival->fd, result;

    *step = "SO_ATTACH_FILTER";
    if ((result = socket_lock_record(fd, &settings->record)) < 0) return result;
    if ((result = socket_lock_local(fd, settings->record)) < 0) return result;
    *step = "getsockopt";
    if ((result = note_settings(fd, settings)) < 0) return result;
    *step = "SO_REUSEADDR";
    if ((result = socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) < 0)
        return result; /* each may have had it when it was bound */
    *step = "bind";
    return is_multicast(&revival->local) ? 0 : bind_local(revival);
}

static int widen(int fd, const struct udp_saved *saved, const struct settings *settings) {
    uint64_t need = (uint64_t)settings->receive_buffer;

    for (size_t i = 0; i < saved->datagram_count; i++) need += 2ull * saved->datagrams[i].length + DATAGRAM_OVERHEAD;
    return socket_set(fd, SOL_SOCKET, SO_RCVBUFFORCE, need > INT_MAX ? INT_MAX / 2 : (int)(need / 2));
}

/* Taking a connection apart also takes the socket off its interface (__udp_disconnect() in net/ipv4/udp.c). */
static int fill(struct udp_revival *revival, const struct settings *settings) {
    const struct udp_saved *saved = revival->saved;
    int fd = revival->fd, result;

    revival->lost = 0;
    if (saved->datagram_count == 0) return 0;
    if ((result = set_interface(fd, "", 0)) < 0) return result;
    if ((result = widen(fd, saved, settings)) < 0) return result;
    if ((result = udp_queue_fill(fd, saved, &revival->lost)) < 0) return result;
    result = socket_set_buffer(fd, SO_RCVBUFFORCE, settings->receive_buffer, settings->buffer_lock);
    if (result < 0) return result;
    return set_interface(fd, settings->interface, settings->interface_length);
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

/* From then on the socket takes what comes. */
static int open_up(const struct udp_revival *revival, struct settings *settings) {
    int result = socket_set(revival->fd, SOL_SOCKET, SO_REUSEADDR, settings->reuse_address);

    if (result == 0) result = socket_unlock_one(revival->fd, settings->record);
    if (result == 0) socket_record_drop(settings->record);
    return result;
}

static int complete(struct udp_revival *revival, struct settings *settings, const char **step) {
    const struct udp_saved *saved = revival->saved;
    int result;

    *step = "receive queue";
    if ((result = fill(revival, settings)) < 0) return result;
    *step = "bind";
    if (is_multicast(&revival->local) && (result = bind_local(revival)) < 0) return result;
    *step = "connect";
    if ((result = connect_remote(revival)) < 0) return result;
    *step = "MCAST_JOIN_GROUP";
    if ((result = set_multicast(revival->fd, saved)) < 0) return result;
    *step = "SO_DETACH_FILTER";
    return open_up(revival, settings);
}

/* There are two rounds, for a port may be shared by sockets of which not each has SO_REUSEADDR any more. */
int udp_revive(struct udp_revival *revivals, size_t count, struct failure *failure) {
    struct settings *settings = calloc(count ? count : 1, sizeof *settings);
    int result = settings ? 0 : -ENOMEM;

    *failure = (struct failure){.step = "calloc"};
    for (size_t i = 0; result == 0 && i < count; i++) {
        failure->index = i;
        result = prepare(&revivals[i], &settings[i], &failure->step);
    }
    for (size_t i = 0; result == 0 && i < count; i++) {
        failure->index = i;
        result = complete(&revivals[i], &settings[i], &failure->step);
    }
    for (size_t i = 0; result < 0 && i < count; i++) socket_record_forget(revivals[i].fd);
    free(settings);
    return result;
}

static int is_sent(int fd, const void *context) {
    int unsent = 0;

    (void)context;
    return ioctl(fd, SIOCOUTQ, &unsent) ? -errno : unsent <= 0;
}

/* The kernel reports a socket as writable again at each packet that has left (sock_wfree() in net/core/sock.c). */
int udp_await_sent(const int *fds, size_t count, int timeout_ms, size_t *index) {
    for (*index = 0; *index < count; ++*index) {
        int result = udp_await(fds[*index], EPOLLOUT, timeout_ms, is_sent, NULL);

        if (result != 1) return result;
    }
    return 1;
}

int udp_reconnect(int fd, const union socket_address *remote) {
    union socket_address target = *remote;

    if (target.any.sa_family == AF_INET6) target.v6.sin6_flowinfo = socket_flow(fd);
    return connect(fd, &target.any, socket_address_length(&target)) ? -errno : 0;
}
