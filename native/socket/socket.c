#include "socket/socket.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* UDP's discard port; connect(2) needs some port and sends nothing to it. */
enum { DISCARD_PORT = 9 };

int socket_each(const int *fds, size_t count, int (*one)(int fd, const char **step), struct failure *failure) {
    int first = 0;

    for (size_t i = 0; i < count; i++) {
        const char *step;
        int result = one(fds[i], &step);

        if (result == 0 || first) continue;
        first = result;
        *failure = (struct failure){.index = i, .step = step};
    }
    return first;
}

int socket_get_bytes(int fd, int level, int option, void *value, socklen_t size) {
    return getsockopt(fd, level, option, value, &size) ? -errno : 0;
}

int socket_get(int fd, int level, int option, int *value) {
    return socket_get_bytes(fd, level, option, value, sizeof *value);
}

int socket_set(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) ? -errno : 0;
}

/* The kernel doubles the value, and takes it for the program's wish until SO_BUF_LOCK says otherwise. */
int socket_set_buffer(int fd, int force, int size, int locks) {
    int result = socket_set(fd, SOL_SOCKET, force, size / 2);

    return result < 0 ? result : socket_set(fd, SOL_SOCKET, SO_BUF_LOCK, locks);
}

int socket_cookie(int fd, uint64_t *cookie) {
    return socket_get_bytes(fd, SOL_SOCKET, SO_COOKIE, cookie, sizeof *cookie);
}

int socket_tcp_info(int fd, struct tcp_info *info) {
    memset(info, 0, sizeof *info);
    return socket_get_bytes(fd, IPPROTO_TCP, TCP_INFO, info, sizeof *info);
}

int socket_local(int fd, union socket_address *address) {
    socklen_t length = sizeof *address;

    memset(address, 0, sizeof *address);
    return getsockname(fd, &address->any, &length) ? -errno : 0;
}

int socket_former_remote(int fd, int family, union socket_address *address) {
    socklen_t length;

    memset(address, 0, sizeof *address);
    address->any.sa_family = (sa_family_t)family;
    length = socket_address_length(address); /* the kernel refuses more (sk_getsockopt in net/core/sock.c) */
    if (getsockopt(fd, SOL_SOCKET, SO_PEERNAME, address, &length) == 0) return 0;
    return errno == ENOTCONN ? 0 : -errno;
}

int socket_remote(int fd, int family, union socket_address *address) {
    socklen_t length = sizeof *address;

    memset(address, 0, sizeof *address);
    if (getpeername(fd, &address->any, &length) == 0) return 0;
    if (errno != ENOTCONN) return -errno;
    address->any.sa_family = (sa_family_t)family;
    return 0;
}

uint32_t socket_flow(int fd) {
    union socket_address remote;

    if (socket_former_remote(fd, AF_INET6, &remote) < 0 || remote.any.sa_family != AF_INET6) return 0;
    return remote.v6.sin6_flowinfo;
}

/* With SO_REUSEADDR, as CRIU does it (open_inet_sk): what was bound before its connections were there needed none. */
int socket_bind(int fd, const union socket_address *local, int backlog, const char **step) {
    int reuse, result, put_back;

    *step = "SO_REUSEADDR";
    result = socket_get(fd, SOL_SOCKET, SO_REUSEADDR, &reuse);
    if (result == 0) result = socket_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (result < 0) return result;
    *step = "bind";
    if (bind(fd, &local->any, socket_address_length(local))) result = -errno;
    if (result == 0 && backlog >= 0) {
        *step = "listen";
        if (listen(fd, backlog)) result = -errno;
    }
    put_back = socket_set(fd, SOL_SOCKET, SO_REUSEADDR, reuse);
    return result < 0 ? result : put_back;
}

int socket_free_port(const union socket_address *address, uint16_t *port) {
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP), result;
    union socket_address local = *address;

    if (fd < 0) return -errno;
    socket_address_set_port(&local, 0);
    result = bind(fd, &local.any, socket_address_length(&local)) ? -errno : socket_local(fd, &local);
    close(fd);
    if (result == 0) *port = socket_address_port(&local);
    return result;
}

int socket_route_source(const union socket_address *remote, union socket_address *source) {
    union socket_address target = *remote;
    socklen_t length = sizeof *source;
    int result = 0;
    int fd = socket(target.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0) return -errno;
    socket_address_set_port(&target, DISCARD_PORT);
    if (connect(fd, &target.any, socket_address_length(&target)) < 0 || getsockname(fd, &source->any, &length) < 0) {
        result = -errno;
        goto out;
    }
    socket_address_set_port(source, 0);
out:
    close(fd);
    return result;
}
