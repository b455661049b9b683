/* tcp_window_is_shut. linux/tcp.h has the window in struct tcp_info; netinet/tcp.h has not, and excludes it. */

#include "tcp/user_timeout.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

int tcp_window_is_shut(int fd, bool *shut) {
    struct tcp_info info = {0};
    socklen_t length = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length)) return -errno;
    *shut = info.tcpi_snd_wnd == 0;
    return 0;
}
