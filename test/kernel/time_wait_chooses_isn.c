/* A SYN for a connection in TIME_WAIT is answered with a sequence number 65,537 after the last one that it used.
 *
 * Source: tcp_timewait_state_process() in net/ipv4/tcp_minisocks.c (TCP_TW_SYN), tcp_conn_request() in net/ipv4/tcp_input.c,
 * which takes it for the listener's answer and then looks neither at SYN cookies nor at the backlog of SYNs. In repair mode
 * with the send queue selected a FIN counts as sent and is not (tcp_write_xmit() in net/ipv4/tcp_output.c).
 * Relied on by: filling an accept queue: what waited there goes on with the numbers that its other end knows. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

#include <poll.h>
#include <unistd.h>

enum { ISN = 0x12345678, FAR_ISN = 0x07654321, DISTANCE = 65537, FAR_PORT = 4000 };

static void set_next(int fd, int queue, uint32_t seq) {
    set_option(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);
    set_option(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, seq);
}

/* A connection in TIME_WAIT, of which its other end has never heard. */
static void time_wait(const union address *near, const union address *far) {
    struct segment fin = {.seq = FAR_ISN - 1000, .ack = ISN - DISTANCE, .flags = FIN | ACK};
    int fd = need(socket(near->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct pollfd poller = {.fd = fd};

    repair(fd, TCP_REPAIR_ON);
    set_next(fd, TCP_RECV_QUEUE, fin.seq);
    set_next(fd, TCP_SEND_QUEUE, fin.ack - 1);
    need(bind(fd, &near->any, address_size(near)));
    need(connect(fd, &far->any, address_size(far)));
    need(shutdown(fd, SHUT_WR));
    repair(fd, TCP_REPAIR_OFF_NO_WP);
    inject(far, near, &fin, NULL, 0);
    need(poll(&poller, 1, 1000));
    expect(poller.revents & POLLHUP, "the connection is in state %d", tcp_info_of(fd).tcpi_state);
    close(fd);
}

/* A host that has the connection, and says nothing. */
static void keep_quiet(const union address *near, const union address *far) {
    int fd = need(socket(near->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));

    repair(fd, TCP_REPAIR_ON);
    need(bind(fd, &far->any, address_size(far)));
    need(connect(fd, &near->any, address_size(near)));
    lock(fd);
}

static void body(int family) {
    union address near, far;
    struct segment syn = {.seq = FAR_ISN, .flags = SYN}, answer = {0};
    int tap;

    hosts_up();
    near = local_of(listen_on_b(family));
    far = address_of(family, 1, FAR_PORT);
    keep_quiet(&near, &far);
    enter(B);
    tap = tap_open();
    time_wait(&near, &far);
    inject(&far, &near, &syn, NULL, 0);
    while (tap_next(tap, true, 1000, &answer) && !(answer.flags & SYN))
        expect(!(answer.flags & FIN), "the FIN was sent");
    expect(answer.flags == (SYN | ACK) && answer.ack == FAR_ISN + 1, "the SYN was not answered");
    expect(answer.seq == ISN, "answered with %#x, not %#x", answer.seq, ISN);
    holds("the listener answers with the number that was chosen; the FIN was never sent");
}

int main(void) { return check_families(body); }
