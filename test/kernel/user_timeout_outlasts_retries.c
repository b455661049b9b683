/* TCP_USER_TIMEOUT takes the place of tcp_retries2 and of keepalive's count, also where it is longer than they allow.
 *
 * Source: tcp_write_timeout() in net/ipv4/tcp_timer.c gives icsk_user_timeout to retransmits_timed_out(), which looks at
 * tcp_retries2 only where that is 0; tcp_keepalive_timer() there counts probes only where it is 0.
 * Relied on by: the hold of a peer for hours. A locked connection hears no acknowledgement: TCP's own limits (15
 * retransmissions, about 15 minutes) would end it. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* Sets tcp_retries2 in the network namespace that was entered last. */
static void set_retries(const char *number) {
    int fd = need(open("/proc/sys/net/ipv4/tcp_retries2", O_WRONLY | O_CLOEXEC));

    need(write(fd, number, strlen(number)));
    close(fd);
}

static void keep_alive(int fd) {
    set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 1);
    set_option(fd, IPPROTO_TCP, TCP_KEEPCNT, 1);
    set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
}

/* Waits for the end of the connection and returns the milliseconds from `start_ns` to it; its error must be ETIMEDOUT. */
static int end_of(int fd, uint64_t start_ns, const char *which) {
    struct pollfd poll_fd = {.fd = fd};
    int error;

    expect(poll(&poll_fd, 1, 15000) == 1, "%s did not end", which);
    error = get_option(fd, SOL_SOCKET, SO_ERROR);
    expect(error == ETIMEDOUT, "%s ended with %s", which, strerror(error));
    return (int)((now_ns() - start_ns) / 1000000);
}

static void body(int family) {
    struct connection sending, patient, idle, patient_idle;
    int sending_end, patient_end, idle_end, patient_idle_end;
    uint64_t start;

    hosts_up();
    enter(B);
    set_retries("1");
    sending = connect_hosts(family);
    patient = connect_hosts(family);
    idle = connect_hosts(family);
    patient_idle = connect_hosts(family);
    set_option(patient.b, IPPROTO_TCP, TCP_USER_TIMEOUT, 6000);
    set_option(patient_idle.b, IPPROTO_TCP, TCP_USER_TIMEOUT, 6000);
    start = now_ns();
    lock(sending.b);
    lock(patient.b);
    lock(idle.b);
    lock(patient_idle.b);
    send_pattern(sending.b, 0, 1000);
    send_pattern(patient.b, 0, 1000);
    keep_alive(idle.b);
    keep_alive(patient_idle.b);

    sending_end = end_of(sending.b, start, "a sending connection");
    idle_end = end_of(idle.b, start, "an idle connection");
    patient_end = end_of(patient.b, start, "a sending connection with TCP_USER_TIMEOUT");
    patient_idle_end = end_of(patient_idle.b, start, "an idle connection with TCP_USER_TIMEOUT");
    expect(sending_end < 5000 && idle_end < 5000, "without TCP_USER_TIMEOUT: %d and %d ms", sending_end, idle_end);
    expect(patient_end >= 6000 && patient_idle_end >= 6000, "with 6000 ms of it: %d and %d ms", patient_end,
           patient_idle_end);
    holds("sending, idle: ended after %d and %d ms; with TCP_USER_TIMEOUT, 6000 ms: after %d and %d", sending_end,
          idle_end, patient_end, patient_idle_end);
}

int main(void) { return check_families(body); }
