/* A segment that a host sends itself with another host's source address is taken for that one's, whatever filters reverse paths.
 *
 * Source: raw_sendmsg() with IP_TRANSPARENT (FLOWI_FLAG_ANYSRC); loopback_xmit() keeps the route, so ip_rcv_finish_core() does
 * not look for one (skb_valid_dst()), which is where sources are checked (fib_validate_source()). inet_iif() and
 * inet6_iif() then name the device of the address that it goes to, so SO_BINDTODEVICE is no obstacle.
 * Relied on by: filling an accept queue with segments of other ends that stay out of it. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static void filter_strictly(const char *device) {
    char path[128];
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/net/ipv4/conf/%s/rp_filter", device);
    fd = need(open(path, O_WRONLY | O_CLOEXEC));
    need(write(fd, "1", 1));
    close(fd);
}

static void body(int family) {
    struct connection connection;
    union address near, far;
    struct segment segment = {.flags = ACK | PSH, .body = 3};
    char bytes[4];
    int tap;

    hosts_up();
    connection = connect_hosts(family);
    lock(connection.a); /* it has sent no such thing, and would say so */
    near = local_of(connection.b);
    far = remote_of(connection.b);
    enter(B);
    filter_strictly("all");
    filter_strictly("lo");
    filter_strictly("eth0");
    need(setsockopt(connection.b, SOL_SOCKET, SO_BINDTODEVICE, "eth0", 5));
    tap = tap_open();
    repair(connection.b, TCP_REPAIR_ON);
    segment.seq = queue_seq(connection.b, TCP_RECV_QUEUE);
    segment.ack = queue_seq(connection.b, TCP_SEND_QUEUE);
    repair(connection.b, TCP_REPAIR_OFF_NO_WP);
    inject(&far, &near, &segment, NULL, 0);
    expect(readable(connection.b, 30000) && read(connection.b, bytes, sizeof(bytes)) == 3,
           "the segment was not received");
    expect(tap_count(tap, false) == 0, "it came in over the link");
    holds("received as the other end's, past strict filters, by a socket of one device");
}

int main(void) { return check_families(body); }
