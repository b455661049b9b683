#include "socket/address.h"

#include <errno.h>
#include <string.h>

socklen_t socket_address_length(const union socket_address *address) {
    return address->any.sa_family == AF_INET6 ? sizeof address->v6 : sizeof address->v4;
}

uint16_t socket_address_port(const union socket_address *address) {
    return ntohs(address->any.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

void socket_address_set_port(union socket_address *address, uint16_t port) {
    if (address->any.sa_family == AF_INET6)
        address->v6.sin6_port = htons(port);
    else
        address->v4.sin_port = htons(port);
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
