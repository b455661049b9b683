#include "socket/route.h"

#include <errno.h>
#include <unistd.h>

/* UDP's discard port; connect(2) needs some port and sends nothing to it. */
enum { DISCARD_PORT = 9 };

int route_source(const union socket_address *remote, union socket_address *source) {
    union socket_address target = *remote;
    socklen_t length = sizeof *source;
    int result = 0;
    int fd = socket(target.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0) return -errno;
    if (target.any.sa_family == AF_INET6)
        target.v6.sin6_port = htons(DISCARD_PORT);
    else
        target.v4.sin_port = htons(DISCARD_PORT);
    if (connect(fd, &target.any, socket_address_length(&target)) < 0 || getsockname(fd, &source->any, &length) < 0) {
        result = -errno;
        goto out;
    }
    if (source->any.sa_family == AF_INET6)
        source->v6.sin6_port = 0;
    else
        source->v4.sin_port = 0;
out:
    close(fd);
    return result;
}
