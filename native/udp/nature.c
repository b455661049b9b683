#include "udp/nature.h"

#include "tcp/repair.h"
#include "udp/interfaces.h"
#include "udp/memberships.h"

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

int udp_interfaces_named(int fd, char (**names)[IF_NAMESIZE], size_t *count) {
    struct udp_interface options[UDP_INTERFACES_MAX];
    struct udp_membership *memberships = NULL;
    size_t option_count = 0, membership_count = 0;
    int family, result = socket_get(fd, SOL_SOCKET, SO_DOMAIN, &family);

    if (result == 0) result = udp_interfaces_read(fd, options, &option_count);
    if (result == 0) result = udp_memberships_read(fd, family, &memberships, &membership_count);
    if (result < 0) return result;
    *count = option_count + membership_count;
    *names = calloc(*count + 1, sizeof **names);
    for (size_t i = 0; *names && i < *count; i++)
        memcpy((*names)[i], i < option_count ? options[i].interface : memberships[i - option_count].interface,
               IF_NAMESIZE);
    free(memberships);
    return *names ? 0 : -ENOMEM;
}

/* The kernel reports a socket as writable again at each packet that has left (sock_wfree() in net/core/sock.c). */
static int await_sent(int fd, int timeout_ms) {
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET};
    int epoll = -1, result = 0, woken = 1, unsent = 0;

    while ((result = ioctl(fd, SIOCOUTQ, &unsent)) == 0 && unsent > 0 && woken > 0) {
        if (epoll < 0) {
            epoll = epoll_create1(EPOLL_CLOEXEC);
            if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) {
                result = -1;
                break;
            }
        }
        woken = epoll_wait(epoll, &event, 1, timeout_ms);
    }
    if (result < 0) result = -errno;
    if (epoll >= 0) close(epoll);
    return result < 0 ? result : unsent == 0;
}

int udp_await_sent(const int *fds, size_t count, int timeout_ms, size_t *index) {
    for (*index = 0; *index < count; ++*index) {
        int result = await_sent(fds[*index], timeout_ms);

        if (result != 1) return result;
    }
    return 1;
}
