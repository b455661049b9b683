#include "socket/address.h"

#include <errno.h>
#include <string.h>

socklen_t socket_address_length(const union socket_address *address) {
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

uint16_t socket_address_port(const union socket_address *address) {
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

void socket_address_text(const union socket_address *address, char text[INET6_ADDRSTRLEN]) {
    const void *bytes =
        address->any.sa_family == AF_INET6 ? (const void *)&address->v6.sin6_addr : (const void *)&address->v4.sin_addr;
    if (!inet_ntop(address->any.sa_family, bytes, text, INET6_ADDRSTRLEN)) text[0] = '\0';
}

int socket_address_parse(union socket_address *address, int family, const char *text, uint16_t port) {
    struct in_addr v4;

    memset(address, 0, sizeof *address);
    if (family == AF_INET) {
        if (strchr(text, ':')) return -EAFNOSUPPORT;
        address->v4.sin_family = AF_INET;
        address->v4.sin_port = htons(port);
        return inet_pton(AF_INET, text, &address->v4.sin_addr) == 1 ? 0 : -EINVAL;
    }
    if (family != AF_INET6) return -EAFNOSUPPORT;
    address->v6.sin6_family = AF_INET6;
    address->v6.sin6_port = htons(port);
    if (inet_pton(AF_INET, text, &v4) == 1) {
        address->v6.sin6_addr.s6_addr[10] = 0xff;
        address->v6.sin6_addr.s6_addr[11] = 0xff;
        memcpy(&address->v6.sin6_addr.s6_addr[12], &v4, sizeof v4);
        return 0;
    }
    return inet_pton(AF_INET6, text, &address->v6.sin6_addr) == 1 ? 0 : -EINVAL;
}

union socket_address socket_address_plain(const union socket_address *address) {
    union socket_address plain = *address;

    if (address->any.sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&address->v6.sin6_addr)) return plain;
    memset(&plain, 0, sizeof plain);
    plain.v4.sin_family = AF_INET;
    plain.v4.sin_port = address->v6.sin6_port;
    memcpy(&plain.v4.sin_addr, &address->v6.sin6_addr.s6_addr[12], sizeof plain.v4.sin_addr);
    return plain;
}

bool socket_address_equal(const union socket_address *a, const union socket_address *b) {
    if (a->any.sa_family != b->any.sa_family) return false;
    if (a->any.sa_family == AF_INET6)
        return a->v6.sin6_port == b->v6.sin6_port &&
               memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
    return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
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
    length = socket_address_length(address); /* EINVAL for more (sk_getsockopt in net/core/sock.c) */
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
