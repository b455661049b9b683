/* An option that the kernel shows to nobody is noted when it is set, for as long as it is set. */
#include "check.h"

#include <net/if.h>
#include <netinet/tcp.h>
#include <sched.h>

#include <linux/filter.h>
#include <linux/in6.h> /* leaves out what <netinet/in.h> has already */
#include <linux/xfrm.h>

#define IP_XFRM_POLICY 17

static const int on = 1, off = 0;

#define SET(fd, level, name, value) setsockopt(fd, level, name, &(value), sizeof(value))

static uint32_t hidden(int fd) { return (uint32_t)atomic_load(&record(fd)->hidden); }

static bool has_program(enum registry_protocol protocol, in_port_t port) {
    return atomic_load(&registry->group_programs[protocol][ntohs(port) / 64]) >> ntohs(port) % 64 & 1;
}

/* Gives this process a network of its own, with one address. */
static void isolate(void) {
    CHECK(unshare(CLONE_NEWNET) == 0);
    CHECK(system("ip link set lo up && ip addr add fd77::1/64 dev lo nodad") == 0);
}

static void what_is_shown_is_not_noted(void) {
    int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));

    OK(SET(fd, SOL_SOCKET, SO_REUSEADDR, on));
    OK(SET(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, on));
    CHECK(hidden(fd) == 0 && atomic_load(&registry->hidden) == 0);
    OK(close(fd));
}

/* One option is set, copied and set to nothing; and the kernel refuses it. */
static void one(int family, int level, int name, const void *value, const void *none, socklen_t size, uint32_t bit) {
    int fd = OK(socket(family, SOCK_DGRAM, 0)), copy;

    FAILS(setsockopt(fd, level, name, (const void *)1, size), EFAULT);
    FAILS(setsockopt(fd, level, name, value, 1), EINVAL);
    CHECK(hidden(fd) == 0);
    OK(setsockopt(fd, level, name, value, size));
    CHECK(hidden(fd) == bit && atomic_load(&registry->hidden) == 1);
    FAILS(setsockopt(fd, level, name, value, 1), EINVAL);
    CHECK(hidden(fd) == bit);
    copy = OK(dup(fd));
    OK(close(fd));
    CHECK(hidden(copy) == bit);
    OK(setsockopt(copy, level, name, none, none ? size : 0));
    CHECK(hidden(copy) == 0);
    OK(close(copy));
    fd = OK(socket(family, SOCK_DGRAM, 0));
    CHECK(hidden(fd) == 0);
    OK(close(fd));
}

static void each(void) {
    const struct in6_pktinfo info = {.ipi6_ifindex = 1}, no_info = {0};
    const struct ip_mreqn index = {.imr_ifindex = 1}, address = {.imr_address.s_addr = htonl(INADDR_LOOPBACK)};
    const struct xfrm_userpolicy_info policy = {.sel.family = AF_INET, .dir = XFRM_POLICY_OUT};
    const int size = 1400;

    one(AF_INET6, IPPROTO_IPV6, IPV6_MTU, &size, &off, sizeof size, HIDDEN(FRAGMENT_SIZE));
    one(AF_INET6, IPPROTO_IPV6, IPV6_PKTINFO, &info, &no_info, sizeof info, HIDDEN(PACKET_INFO));
    one(AF_INET, IPPROTO_IP, IP_MULTICAST_IF, &index, &address, sizeof index, HIDDEN(MULTICAST_INDEX));
    /* The kernel has other errors for this one than one() expects. */
    int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
    OK(SET(fd, IPPROTO_IP, IP_XFRM_POLICY, policy));
    CHECK(hidden(fd) == HIDDEN(POLICY));
    OK(setsockopt(fd, IPPROTO_IP, IP_XFRM_POLICY, NULL, 0));
    CHECK(hidden(fd) == 0);
    OK(close(fd));
}

static void two(void) {
    const struct in6_pktinfo info = {.ipi6_ifindex = 1};
    const int size = 1400;
    int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));

    OK(SET(fd, IPPROTO_IPV6, IPV6_MTU, size));
    OK(SET(fd, IPPROTO_IPV6, IPV6_PKTINFO, info));
    OK(SET(fd, IPPROTO_IPV6, IPV6_MTU, off));
    CHECK(hidden(fd) == HIDDEN(PACKET_INFO));
    OK(SET(fd, IPPROTO_IPV6, IPV6_MTU, size));
    OK(setsockopt(fd, IPPROTO_IPV6, IPV6_MTU, NULL, sizeof size));
    CHECK(hidden(fd) == HIDDEN(PACKET_INFO));
    OK(close(fd));
}

static void keys(void) {
    struct tcp_md5sig key = {.tcpm_keylen = 3, .tcpm_key = "key"};
    struct sockaddr_in of = loopback(0);
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0));

    memcpy(&key.tcpm_addr, &of, sizeof of);
    FAILS(setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &key, 1), EINVAL);
    CHECK(hidden(fd) == 0);
    OK(SET(fd, IPPROTO_TCP, TCP_MD5SIG, key));
    CHECK(hidden(fd) == HIDDEN(KEYS));
    OK(close(fd));
}

static void multicast(void) {
    struct group_req join = {.gr_interface = 1};
    struct sockaddr_in group = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr("239.7.7.7")};
    int datagrams = OK(socket(AF_INET, SOCK_DGRAM, 0)), stream = OK(socket(AF_INET, SOCK_STREAM, 0));

    memcpy(&join.gr_group, &group, sizeof group);
    OK(SET(datagrams, IPPROTO_IP, MCAST_JOIN_GROUP, join));
    OK(SET(stream, IPPROTO_IP, MCAST_JOIN_GROUP, join));
    CHECK(hidden(datagrams) == 0 && hidden(stream) == HIDDEN(MULTICAST_STREAM));
    OK(close(datagrams));
    OK(close(stream));
}

static void anycast(void) {
    struct ipv6_mreq groups[2] = {{.ipv6mr_interface = 1}, {.ipv6mr_interface = 1}};
    int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));

    CHECK(inet_pton(AF_INET6, "fd77::77", &groups[0].ipv6mr_multiaddr) == 1);
    CHECK(inet_pton(AF_INET6, "fd78::77", &groups[1].ipv6mr_multiaddr) == 1);
    FAILS(SET(fd, IPPROTO_IPV6, IPV6_JOIN_ANYCAST, groups[1]), EADDRNOTAVAIL);
    CHECK(atomic_load(&record(fd)->anycast) == 0);
    OK(SET(fd, IPPROTO_IPV6, IPV6_JOIN_ANYCAST, groups[0]));
    OK(SET(fd, IPPROTO_IPV6, IPV6_JOIN_ANYCAST, groups[0]));
    CHECK(atomic_load(&record(fd)->anycast) == 2);
    OK(SET(fd, IPPROTO_IPV6, IPV6_LEAVE_ANYCAST, groups[0]));
    FAILS(SET(fd, IPPROTO_IPV6, IPV6_LEAVE_ANYCAST, groups[1]), ENOENT);
    CHECK(atomic_load(&record(fd)->anycast) == 1);
    OK(SET(fd, IPPROTO_IPV6, IPV6_LEAVE_ANYCAST, groups[0]));
    CHECK(atomic_load(&record(fd)->anycast) == 0);
    OK(close(fd));
}

static void flow_labels(void) {
    struct in6_flowlabel_req lease = {
        .flr_action = IPV6_FL_A_GET, .flr_flags = IPV6_FL_F_CREATE, .flr_share = IPV6_FL_S_ANY, .flr_expires = 60};
    struct in6_flowlabel_req reflection = {.flr_action = IPV6_FL_A_GET, .flr_flags = IPV6_FL_F_REFLECT};
    int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0)), stream = OK(socket(AF_INET6, SOCK_STREAM, 0));

    CHECK(inet_pton(AF_INET6, "fd77::2", &lease.flr_dst) == 1);
    OK(SET(fd, IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, lease));
    CHECK(atomic_load(&record(fd)->flow_labels) == 1);
    lease.flr_action = IPV6_FL_A_RENEW;
    OK(SET(fd, IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, lease));
    CHECK(atomic_load(&record(fd)->flow_labels) == 1);
    lease.flr_action = IPV6_FL_A_PUT;
    OK(SET(fd, IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, lease));
    CHECK(atomic_load(&record(fd)->flow_labels) == 0);
    FAILS(SET(fd, IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, lease), ESRCH);
    CHECK(atomic_load(&record(fd)->flow_labels) == 0);
    CHECK(system("echo 0 > /proc/sys/net/ipv6/flowlabel_consistency") == 0);
    OK(SET(stream, IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, reflection));
    CHECK(hidden(stream) == HIDDEN(FLOW_LABEL) && atomic_load(&record(stream)->flow_labels) == 0);
    reflection.flr_action = IPV6_FL_A_PUT;
    OK(SET(stream, IPPROTO_IPV6, IPV6_FLOWLABEL_MGR, reflection));
    CHECK(hidden(stream) == 0 && atomic_load(&record(stream)->flow_labels) == 0);
    OK(close(fd));
    OK(close(stream));
}

/* Without SO_ZEROCOPY the kernel copies, and numbers nothing. */
static void zerocopy(void) {
    struct msghdr nothing = {0};
    struct mmsghdr message = {0};
    int ends[2];

    tcp_pair(ends);
    OK(send(ends[0], "x", 1, MSG_ZEROCOPY));
    CHECK(hidden(ends[0]) == 0);
    OK(SET(ends[0], SOL_SOCKET, SO_ZEROCOPY, on));
    OK(send(ends[0], "x", 1, 0));
    CHECK(hidden(ends[0]) == 0);
    OK(send(ends[0], "x", 1, MSG_ZEROCOPY));
    CHECK(hidden(ends[0]) == HIDDEN(ZEROCOPY_NUMBERS) && hidden(ends[1]) == 0);
    OK(SET(ends[1], SOL_SOCKET, SO_ZEROCOPY, on));
    OK(sendmsg(ends[1], &nothing, MSG_ZEROCOPY));
    CHECK(hidden(ends[1]) == HIDDEN(ZEROCOPY_NUMBERS));
    OK(close(ends[0]));
    OK(close(ends[1]));

    tcp_pair(ends);
    for (int i = 0; i < 2; i++) OK(SET(ends[i], SOL_SOCKET, SO_ZEROCOPY, on));
    OK(sendto(ends[0], "x", 1, MSG_ZEROCOPY, NULL, 0));
    OK(sendmmsg(ends[1], &message, 1, MSG_ZEROCOPY));
    CHECK(hidden(ends[0]) == HIDDEN(ZEROCOPY_NUMBERS) && hidden(ends[1]) == HIDDEN(ZEROCOPY_NUMBERS));
    OK(close(ends[0]));
    OK(close(ends[1]));
}

/* A connection has what its listening socket had when it was made, also where that has lost it since. */
static void inherited(void) {
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t length = sizeof at;
    const int size = 1400;
    int listener = OK(socket(AF_INET6, SOCK_STREAM, 0)), client = OK(socket(AF_INET6, SOCK_STREAM, 0)), server;

    OK(bind(listener, (struct sockaddr *)&at, sizeof at));
    OK(SET(listener, IPPROTO_IPV6, IPV6_MTU, size));
    OK(listen(listener, 1));
    CHECK(syscall(SYS_getsockname, listener, &at, &length) == 0);
    OK(connect(client, (struct sockaddr *)&at, sizeof at));
    OK(SET(listener, IPPROTO_IPV6, IPV6_MTU, off));
    server = OK(accept(listener, NULL, NULL));
    CHECK(hidden(listener) == HIDDEN(FRAGMENT_SIZE) && hidden(server) == HIDDEN(FRAGMENT_SIZE) && hidden(client) == 0);
    OK(SET(server, IPPROTO_IPV6, IPV6_MTU, off));
    CHECK(hidden(server) == 0);
    OK(close(server));
    OK(close(client));
    OK(close(listener));
}

static void timeouts(void) {
    const struct timeval second = {.tv_sec = 1};
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0));

    CHECK(atomic_load(&registry->timeouts) == 0);
    OK(SET(fd, SOL_SOCKET, SO_SNDTIMEO, second));
    CHECK(atomic_load(&registry->timeouts) == 1);
    OK(close(fd));
}

static void syn_read(void) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int listener = OK(socket(AF_INET, SOCK_STREAM, 0)), client = OK(socket(AF_INET, SOCK_STREAM, 0)), server;
    socklen_t length = sizeof at;
    char syn[256];

    OK(bind(listener, (struct sockaddr *)&at, sizeof at));
    OK(SET(listener, IPPROTO_TCP, TCP_SAVE_SYN, on));
    OK(listen(listener, 1));
    CHECK(syscall(SYS_getsockname, listener, &at, &length) == 0);
    OK(connect(client, (struct sockaddr *)&at, sizeof at));
    server = OK(accept(listener, NULL, NULL));
    CHECK(hidden(listener) == 0 && hidden(server) == 0);
    length = 1;
    FAILS(getsockopt(server, IPPROTO_TCP, TCP_SAVED_SYN, syn, &length), EINVAL);
    CHECK(hidden(server) == 0);
    length = sizeof syn;
    OK(getsockopt(server, IPPROTO_TCP, TCP_SAVED_SYN, syn, &length));
    CHECK(length > 0 && hidden(server) == HIDDEN(SYN_READ));
    OK(close(server));
    OK(close(client));
    OK(close(listener));
}

static void attach(int fd) {
    struct sock_filter first = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &first};

    OK(SET(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program));
}

static int member(int type, struct sockaddr_in *at) {
    socklen_t length = sizeof *at;
    int fd = OK(socket(AF_INET, type, 0));

    OK(SET(fd, SOL_SOCKET, SO_REUSEPORT, on));
    OK(bind(fd, generic(at), sizeof *at));
    CHECK(syscall(SYS_getsockname, fd, at, &length) == 0);
    return fd;
}

/* The program is the group's: it stays when the socket that attached it is closed, and anyone can detach it. */
static void group_of_datagram_sockets(void) {
    struct sockaddr_in at = loopback(0);
    int first = member(SOCK_DGRAM, &at), second = member(SOCK_DGRAM, &at);

    attach(first);
    CHECK(has_program(REGISTRY_UDP, at.sin_port) && !has_program(REGISTRY_TCP, at.sin_port));
    CHECK(hidden(first) == 0);
    OK(close(first));
    CHECK(has_program(REGISTRY_UDP, at.sin_port));
    OK(SET(second, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, off));
    CHECK(!has_program(REGISTRY_UDP, at.sin_port));
    attach(second);
    OK(close(second));
    CHECK(has_program(REGISTRY_UDP, at.sin_port));
    second = member(SOCK_DGRAM, &at);
    FAILS(SET(second, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, off), ENOENT);
    CHECK(!has_program(REGISTRY_UDP, at.sin_port));
    OK(close(second));
}

/* The program is attached before there is a group. */
static void group_to_be(void) {
    struct sockaddr_in at = loopback(0);
    int stream = member(SOCK_STREAM, &at), datagrams = OK(socket(AF_INET, SOCK_DGRAM, 0));

    attach(stream);
    CHECK(hidden(stream) == HIDDEN(GROUP_PROGRAM) && !has_program(REGISTRY_TCP, at.sin_port));
    OK(listen(stream, 1));
    CHECK(hidden(stream) == 0 && has_program(REGISTRY_TCP, at.sin_port));
    OK(SET(stream, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, off));
    CHECK(!has_program(REGISTRY_TCP, at.sin_port));

    OK(SET(datagrams, SOL_SOCKET, SO_REUSEPORT, on));
    attach(datagrams);
    CHECK(hidden(datagrams) == HIDDEN(GROUP_PROGRAM));
    OK(SET(datagrams, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, off));
    CHECK(hidden(datagrams) == 0);
    attach(datagrams);
    OK(bind(datagrams, generic(&at), sizeof at));
    CHECK(hidden(datagrams) == 0 && has_program(REGISTRY_UDP, at.sin_port));
    OK(SET(datagrams, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, off));
    OK(close(stream));
    OK(close(datagrams));
}

static void attached_to_nothing(void) {
    struct sock_fprog program = {0};
    int fd = OK(socket(AF_INET, SOCK_DGRAM, 0));

    FAILS(SET(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, program), EINVAL);
    CHECK(hidden(fd) == 0);
    FAILS(SET(fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, off), EINVAL);
    FAILS(setsockopt(999, IPPROTO_IPV6, IPV6_MTU, &on, sizeof on), EBADF);
    FAILS(setsockopt(999, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &on, sizeof on), EBADF);
    OK(close(fd));
}

/* What a child executes sets an option for all who have the socket. */
static void shared(const char *self) {
    char number[16];
    int fd = OK(socket(AF_INET6, SOCK_DGRAM, 0));
    pid_t child;

    snprintf(number, sizeof number, "%d", fd);
    child = fork();
    if (child == 0) {
        execl(self, self, number, NULL);
        _exit(127);
    }
    succeeds(child);
    CHECK(hidden(fd) == HIDDEN(FRAGMENT_SIZE));
    OK(close(fd));
}

int main(int argc, char **argv) {
    const int size = 1400;

    if (argc > 1) return setsockopt(atoi(argv[1]), IPPROTO_IPV6, IPV6_MTU, &size, sizeof size) == 0 ? 0 : 1;
    registry_open();
    isolate();
    what_is_shown_is_not_noted();
    each();
    two();
    keys();
    multicast();
    anycast();
    flow_labels();
    zerocopy();
    inherited();
    syn_read();
    timeouts();
    group_of_datagram_sockets();
    group_to_be();
    attached_to_nothing();
    shared(argv[0]);
    return 0;
}
