#include "lookup/diag_ends.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>
#include <unistd.h>

#define GROUP(number) (1u << ((number)-1))

int diag_ends_open(void) {
    const struct sockaddr_nl address = {
        .nl_family = AF_NETLINK,
        .nl_groups = GROUP(SKNLGRP_INET_TCP_DESTROY) | GROUP(SKNLGRP_INET6_TCP_DESTROY),
    };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_SOCK_DIAG);

    if (fd < 0) return -errno;
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

void diag_ends_take(int fd) {
    char ignored[4096];

    /* ENOBUFS: there were more than fit; that says as much. */
    while (recv(fd, ignored, sizeof ignored, MSG_TRUNC) >= 0 || errno == ENOBUFS || errno == EINTR) continue;
}
