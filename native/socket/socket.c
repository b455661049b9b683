#include "socket/socket.h"

#include "tcp/repair.h"

#include <errno.h>
#include <unistd.h>

/* As CRIU does it: what was bound before the connections were there needed no SO_REUSEADDR then (open_inet_sk). */
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
    /* The port comes right behind the family, at the same place in both kinds of address. */
    local.v4.sin_port = 0;
    result = bind(fd, &local.any, socket_address_length(&local)) ? -errno : socket_local(fd, &local);
    close(fd);
    if (result == 0) *port = socket_address_port(&local);
    return result;
}
