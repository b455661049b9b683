#include "tcp/connecting.h"

#include "tcp/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>

static int is_closed(int fd) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) ? -errno : info.tcpi_state == TCP_CLOSE;
}

/* The flag is the open file's, and so the program's: it is put back. */
static int connect_without_waiting(int fd, const union socket_address *remote) {
    int flags = fcntl(fd, F_GETFL), result = 0;

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -errno;
    if (connect(fd, &remote->any, socket_address_length(remote)) && errno != EINPROGRESS) result = -errno;
    return fcntl(fd, F_SETFL, flags) < 0 ? -errno : result;
}

int tcp_connect_again(int fd, const union socket_address *local, const union socket_address *remote,
                      const char **step) {
    struct socket_record record = {0};
    int result;

    *step = "TCP_INFO";
    if ((result = is_closed(fd)) <= 0) return result;
    *step = "TCP_REPAIR";
    if ((result = tcp_repair_on(fd, &record)) < 0) return result;
    *step = "connect(AF_UNSPEC)"; /* CRIU has shut it down */
    if ((result = tcp_disconnect(fd)) < 0) return result;
    *step = "bind";
    if ((result = tcp_bind(fd, local)) < 0) return result;
    *step = "TCP_REPAIR";
    if ((result = tcp_repair_off(fd, TCP_REPAIR_OFF_NO_WP, &record)) < 0) return result;
    *step = "connect";
    return connect_without_waiting(fd, remote);
}
