/* Unanswered probes of a closed window end a connection after tcp_retries2 of them; under an opened one it retransmits.
 *
 * Source: tcp_probe_timer() in net/ipv4/tcp_timer.c has max_probes beside TCP_USER_TIMEOUT, which only shortens it;
 * tcp_write_wakeup() in net/ipv4/tcp_output.c sends data where the window has room, and what is sent is the
 * retransmission timer's (user_timeout_outlasts_retries.c).
 * Relied on by: the hold of a peer for hours. If the program had closed its window, the peer's window
 * is opened in TCP_REPAIR for one segment, which nobody receives; at its rebind it is closed again. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static void set_retries(const char *number) {
    int fd = need(open("/proc/sys/net/ipv4/tcp_retries2", O_WRONLY | O_CLOEXEC));

    need(write(fd, number, strlen(number)));
    close(fd);
}

/* Writes until the other end, which reads nothing, has closed its window and some bytes wait for it. Returns how many were
 * written. */
static size_t close_window(int from) {
    uint8_t bytes[4096];
    size_t written = 0;
    struct tcp_info info;

    for (;;) {
        ssize_t piece;

        fill_pattern(bytes, written, sizeof(bytes));
        piece = send(from, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (piece > 0) {
            written += (size_t)piece;
            continue;
        }
        expect(errno == EAGAIN, "send: %s", strerror(errno));
        info = tcp_info_of(from);
        if (info.tcpi_snd_wnd == 0 && info.tcpi_unacked == 0 && info.tcpi_notsent_bytes > 0) return written;
        usleep(10000); /* an acknowledgement is on its way */
    }
}

static void open_window(int fd, uint32_t size) {
    struct tcp_repair_window window;
    socklen_t length = sizeof(window);

    repair(fd, TCP_REPAIR_ON);
    need(getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, &length));
    window.snd_wnd = size;
    need(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, length));
    repair(fd, TCP_REPAIR_OFF_NO_WP);
}

static void body(int family) {
    struct connection closed, opened;
    struct pollfd end;
    size_t size;

    hosts_up();
    enter(B);
    set_retries("2");
    closed = connect_hosts(family);
    opened = connect_hosts(family);
    close_window(closed.b);
    size = close_window(opened.b);
    set_option(closed.b, IPPROTO_TCP, TCP_USER_TIMEOUT, 30000);
    set_option(opened.b, IPPROTO_TCP, TCP_USER_TIMEOUT, 30000);
    lock(closed.b);
    lock(opened.b);
    open_window(opened.b, 500);

    end = (struct pollfd){.fd = closed.b};
    expect(poll(&end, 1, 10000) == 1, "a connection whose probes nobody answers does not end");
    expect(get_option(closed.b, SOL_SOCKET, SO_ERROR) == ETIMEDOUT, "it does not end with ETIMEDOUT");
    end = (struct pollfd){.fd = opened.b};
    expect(poll(&end, 1, 3000) == 0, "one whose window was opened ended too");
    expect(tcp_info_of(opened.b).tcpi_unacked > 0, "it sent nothing into the window");

    unlock(opened.b);
    expect(receive_pattern(opened.a, 0, size) == size, "its bytes did not come");
    holds("two probes without answer: ETIMEDOUT; with a window of 500 bytes it went on, and all %zu bytes came", size);
}

int main(void) { return check_families(body); }
