/* A UDP datagram that claims to be longer than it is reaches a raw socket, wakes and reaches no UDP socket, and is not answered.
 *
 * Source: ip_local_deliver_finish() in net/ipv4/ip_input.c and ip6_protocol_deliver_rcu() in net/ipv6/ip6_input.c give it to raw
 * sockets first; __udp4_lib_rcv() in net/ipv4/udp.c and __udp6_lib_rcv() in net/ipv6/udp.c drop it as short before they look for
 * a socket. One with a wrong checksum is dropped too, but may be queued first, and who waits in epoll then wakes for nothing.
 * Relied on by: in-band messages on the addresses of a UDP conversation. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/udp.h"

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static const char message[] = "MGSK and more";

static void send_overlong(const union address *from, const union address *to) {
    udp_inject(from, to, message, sizeof(message), 1);
}

static void expect_raw(int raw, int family, const char *where) {
    size_t start = (family == AF_INET ? 20 : 0) + 8;
    char packet[256];

    expect(readable(raw, 30000), "the raw socket did not get it %s", where);
    expect(need(recv(raw, packet, sizeof(packet), 0)) == (ssize_t)(start + sizeof(message)),
           "the raw socket has something else");
    expect(!memcmp(packet + start, message, sizeof(message)), "the raw socket has other bytes");
}

static void expect_asleep(int epoll, const char *which) {
    struct epoll_event event;

    expect(need(epoll_wait(epoll, &event, 1, 100)) == 0, "it woke who waits for the %s socket", which);
}

static void body(int family) {
    union address near = address_of(family, 1, 4000), local = address_of(family, 2, 5000),
                  closed = address_of(family, 2, 5001);
    struct epoll_event edge = {.events = EPOLLIN | EPOLLERR | EPOLLET};
    int sender, socket_b, raw, epoll = need(epoll_create1(EPOLL_CLOEXEC));

    hosts_up();
    enter(B);
    socket_b = udp_bound(&local);
    need(epoll_ctl(epoll, EPOLL_CTL_ADD, socket_b, &edge));
    raw = need(socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP));
    enter(A);
    sender = udp_bound(&near);
    send_overlong(&near, &local);
    expect_raw(raw, family, "beside a bound socket");
    expect_asleep(epoll, "bound");
    udp_connect(socket_b, &near);
    send_overlong(&near, &local);
    expect_raw(raw, family, "beside a connected socket");
    expect_asleep(epoll, "connected");

    udp_connect(sender, &closed);
    send_overlong(&near, &closed);
    expect_raw(raw, family, "where there is no other");
    expect(!readable(sender, 100), "it was answered");
    udp_inject(&near, &closed, message, sizeof(message), 0);
    expect(readable(sender, 30000), "one of the right length was not answered");
    holds("not by a bound socket, not by a connected one, and where there is none, with no ICMP error");
}

int main(void) { return check_families(body); }
