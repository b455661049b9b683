/* With SO_PEEK_OFF, MSG_PEEK walks through a UDP socket's queue and takes nothing: sources, bounds and empty datagrams.
 *
 * Source: __skb_recv_udp() in net/ipv4/udp.c and __skb_try_recv_from_queue() in net/core/datagram.c. An empty datagram has
 * no bytes to move the offset on: it is marked as peeked, and passed over from then on. IP_PKTINFO and its like speak of a
 * datagram that came before they were set too: ip_cmsg_recv_offset() in net/ipv4/ip_sockglue.c reads the header that is kept.
 * Relied on by: the save of a UDP socket, which is to find all as it was where the migration is undone. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"
#include "harness/udp.h"

#include <errno.h>
#include <string.h>

enum { SOURCES = 3 };

static const char *const texts[] = {"one", "", "three", "", "", "six"};
enum { TEXTS = sizeof(texts) / sizeof(*texts) };

static bool has_destination(struct msghdr *message, int level, int type, const union address *wanted) {
    const void *part = wanted->any.sa_family == AF_INET ? (const void *)&wanted->v4.sin_addr : &wanted->v6.sin6_addr;
    size_t size = wanted->any.sa_family == AF_INET ? 4 : 16;

    for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item; item = CMSG_NXTHDR(message, item)) {
        if (item->cmsg_level != level || item->cmsg_type != type) continue;
        /* struct in_pktinfo ends with the header's address, struct in6_pktinfo begins with it. */
        return !memcmp(CMSG_DATA(item) + (size == 4 ? 8 : 0), part, size);
    }
    return false;
}

static void peek(int fd, const char *text, const union address *from, const union address *to) {
    int level = from->any.sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    int type = from->any.sa_family == AF_INET ? IP_PKTINFO : IPV6_PKTINFO;
    union address source = {0};
    char bytes[64], control[256];
    struct iovec data = {bytes, sizeof(bytes)};
    struct msghdr message = {.msg_name = &source,
                             .msg_namelen = sizeof(source),
                             .msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t size = need(recvmsg(fd, &message, MSG_PEEK));

    expect((size_t)size == strlen(text) && !memcmp(bytes, text, (size_t)size), "%zd bytes in place of \"%s\"", size,
           text);
    expect(same_address(&source, from), "\"%s\" is from elsewhere", text);
    expect(has_destination(&message, level, type, to), "where \"%s\" was sent to is not known", text);
}

static void body(int family) {
    union address local = address_of(family, 2, 5000), from[SOURCES];
    int fd, sender[SOURCES];
    char byte;

    hosts_up();
    enter(B);
    fd = udp_bound(&local);
    enter(A);
    for (int i = 0; i < SOURCES; i++) {
        from[i] = address_of(family, 1, (uint16_t)(4000 + i));
        sender[i] = udp_bound(&from[i]);
    }
    for (int i = 0; i < TEXTS; i++) udp_send(sender[i % SOURCES], &local, texts[i]);
    expect(get_option(fd, SOL_SOCKET, SO_PEEK_OFF) == -1, "SO_PEEK_OFF is not -1");
    set_option(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, family == AF_INET ? IP_PKTINFO : IPV6_RECVPKTINFO, 1);
    set_option(fd, SOL_SOCKET, SO_PEEK_OFF, 0);
    for (int i = 0; i < TEXTS; i++) peek(fd, texts[i], &from[i % SOURCES], &local);
    expect(recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN, "there is one more");
    set_option(fd, SOL_SOCKET, SO_PEEK_OFF, -1);
    for (int i = 0; i < TEXTS; i++)
        expect(udp_expect(fd, &from[i % SOURCES], texts[i], 0), "\"%s\" cannot be received after it was peeked at",
               texts[i]);
    holds("%d datagrams of %d sources, three of them empty, and all still there", TEXTS, SOURCES);
}

int main(void) { return check_families(body); }
