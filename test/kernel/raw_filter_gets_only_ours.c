/* A raw socket behind a short classic filter gets the segments with migrun's option and no other of the host.
 *
 * Source: raw_v4_input() in net/ipv4/raw.c and ipv6_raw_deliver() in net/ipv6/raw.c clone a segment only to sockets; their
 * filters run in sock_queue_rcv_skb(), over the IP header (IPv4) or from the TCP header on (IPv6).
 * Relied on by: the agent's in-band endpoint. The filter must look at the data offset: without options the stream's own
 * bytes stand where the option would, and a program may send any. */
#include "harness/hosts.h"
#include "harness/in_band.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <fcntl.h>
#include <unistd.h>

/* No timestamps, no option in a data segment: its body starts where the option would. */
static void without_timestamps(void) {
    int fd = need(open("/proc/sys/net/ipv4/tcp_timestamps", O_WRONLY | O_CLOEXEC));

    need(write(fd, "0", 1));
    close(fd);
}

static void body(int family) {
    static const uint8_t other_first[12] = {1, 1, 253, 8, 'M', 'G', 'S', 'K', 1, 2, 1, 1};
    static const char look_alike[] = "\xfd\x08MGSK\x01\x02";
    struct connection connection;
    struct segment ours;
    union address from, to;
    uint16_t port;
    int raw;

    hosts_up();
    connection = connect_hosts(family);
    raw = in_band_open(family);
    enter(B);
    from = local_of(connection.b);
    to = remote_of(connection.b);
    port = port_of(&from);
    send_pattern(connection.b, 0, 100000);
    expect(receive_pattern(connection.a, 0, 100000) == 100000, "no plain data");
    ours = in_band_send(connection.b, 1, 0);
    inject(&from, &to, &ours, other_first, sizeof(other_first));
    in_band_send(connection.b, 0, 900);
    expect(in_band_next(raw, family, port, 1000) && in_band_next(raw, family, port, 1000),
           "the raw socket did not get both of ours");
    expect(!in_band_next(raw, family, port, 100), "the raw socket got a third segment");

    without_timestamps();
    connection = connect_hosts(family);
    need(send(connection.b, look_alike, sizeof(look_alike) - 1, 0));
    expect(readable(connection.a, 30000), "the look-alike did not come");
    expect(!readable(raw, 100), "the raw socket took a body for an option");
    holds("it got both of ours, and none of the plain ones and those with the option later");
}

int main(void) { return check_families(body); }
