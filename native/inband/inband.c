#include "inband/inband.h"

#include "inband/packet.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

enum {
    /* Room for several thousand messages: one for each connection of a busy host. */
    RECEIVE_BUFFER = 8 * 1024 * 1024,
    /* The least number of words (of 4 bytes) in a TCP header that has room for our option's head. */
    MIN_OFFSET = 7,
    ALL = 0x40000,
};

/* X is where the TCP header begins; a load past the end of the packet drops it (BPF_ABS and BPF_IND). */
#define PASS_OUR_OPTION                                                                                 \
    BPF_STMT(BPF_LD | BPF_B | BPF_IND, 12), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, MIN_OFFSET << 4, 0, 5), \
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, 20), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, INBAND_KIND, 0, 3), \
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, 22), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, INBAND_EXID, 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, ALL), BPF_STMT(BPF_RET | BPF_K, 0)

/* X is where the UDP header begins: the ExID is behind it. */
#define PASS_OUR_DATAGRAM                                                                          \
    BPF_STMT(BPF_LD | BPF_W | BPF_IND, 8), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, INBAND_EXID, 0, 1), \
        BPF_STMT(BPF_RET | BPF_K, ALL), BPF_STMT(BPF_RET | BPF_K, 0)

/* A raw IPv4 socket's packets begin with the IP header, whose length is in its first byte. */
static struct sock_filter filter_v4[] = {BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), PASS_OUR_OPTION};

static struct sock_filter datagrams_v4[] = {BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0), PASS_OUR_DATAGRAM};

/* A raw IPv6 socket's packets begin with the TCP or UDP header. */
static struct sock_filter filter_v6[] = {BPF_STMT(BPF_LDX | BPF_IMM, 0), PASS_OUR_OPTION};
static struct sock_filter datagrams_v6[] = {BPF_STMT(BPF_LDX | BPF_IMM, 0), PASS_OUR_DATAGRAM};

#define PROGRAM(code) ((struct sock_fprog){.len = sizeof(code) / sizeof *(code), .filter = (code)})

static struct sock_fprog program_for(int family, int protocol) {
    if (protocol == IPPROTO_UDP) return family == AF_INET ? PROGRAM(datagrams_v4) : PROGRAM(datagrams_v6);
    return family == AF_INET ? PROGRAM(filter_v4) : PROGRAM(filter_v6);
}

static int set_up(int fd, int family, int protocol) {
    const int on = 1, size = RECEIVE_BUFFER;
    struct sock_fprog program = program_for(family, protocol);

    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0) return -errno;
    /* Without CAP_NET_ADMIN in the first user namespace it gets as much as net.core.rmem_max allows. */
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size) < 0)
        return -errno;
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on) < 0) return -errno;
    return 0;
}

int inband_open(int family, int protocol) {
    int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);

    if (fd < 0) return -errno;
    int result = set_up(fd, family, protocol);
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

union control {
    struct cmsghdr header;
    char v4[CMSG_SPACE(sizeof(struct in_pktinfo))];
    char v6[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

/* Names the source address, as bind(2) would, for this one packet. */
static void set_source(struct msghdr *message, union control *control, const union socket_address *source) {
    memset(control, 0, sizeof *control);
    message->msg_control = control;
    if (source->any.sa_family == AF_INET6) {
        struct in6_pktinfo info = {.ipi6_addr = source->v6.sin6_addr};
        message->msg_controllen = sizeof control->v6;
        control->header = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IPV6, IPV6_PKTINFO};
        memcpy(CMSG_DATA(&control->header), &info, sizeof info);
    } else {
        struct in_pktinfo info = {.ipi_spec_dst = source->v4.sin_addr};
        message->msg_controllen = sizeof control->v4;
        control->header = (struct cmsghdr){CMSG_LEN(sizeof info), IPPROTO_IP, IP_PKTINFO};
        memcpy(CMSG_DATA(&control->header), &info, sizeof info);
    }
}

static int is_plain(const union socket_address *endpoint) {
    return endpoint->any.sa_family == AF_INET || !IN6_IS_ADDR_V4MAPPED(&endpoint->v6.sin6_addr);
}

int inband_send(int fd, int protocol, const struct inband_segment *segment) {
    uint8_t packet[INBAND_PACKET_MAX];
    union control control;
    union socket_address destination = segment->destination;

    if (!is_plain(&segment->source) || !is_plain(&destination)) return -EAFNOSUPPORT;
    int length = protocol == IPPROTO_UDP ? inband_build_datagram(segment, packet, sizeof packet)
                                         : inband_build(segment, packet, sizeof packet);
    if (length < 0) return length;

    /* In a raw socket's address the port is a protocol number. */
    socket_address_set_port(&destination, 0);
    struct iovec data = {.iov_base = packet, .iov_len = (size_t)length};
    struct msghdr message = {.msg_name = &destination,
                             .msg_namelen = socket_address_length(&destination),
                             .msg_iov = &data,
                             .msg_iovlen = 1};
    set_source(&message, &control, &segment->source);
    return sendmsg(fd, &message, 0) < 0 ? -errno : 0;
}

/* An IPv6 packet's destination address comes beside it. */
static int take_destination(struct msghdr *message, union socket_address *destination) {
    for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item; item = CMSG_NXTHDR(message, item)) {
        struct in6_pktinfo info;
        if (item->cmsg_level != IPPROTO_IPV6 || item->cmsg_type != IPV6_PKTINFO) continue;
        memcpy(&info, CMSG_DATA(item), sizeof info);
        *destination = (union socket_address){.v6 = {.sin6_family = AF_INET6, .sin6_addr = info.ipi6_addr}};
        return 1;
    }
    return 0;
}

int inband_receive(int fd, int family, int protocol, uint8_t *buffer, struct inband_segment *segment) {
    union control control;
    struct iovec data = {.iov_base = buffer, .iov_len = INBAND_PACKET_MAX};
    struct msghdr message = {.msg_name = &segment->source,
                             .msg_namelen = sizeof segment->source,
                             .msg_iov = &data,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};

    memset(segment, 0, sizeof *segment);
    ssize_t length = recvmsg(fd, &message, 0);
    if (length < 0) return errno == EAGAIN ? -EAGAIN : 0;
    if (message.msg_flags & MSG_TRUNC) return 0;
    if (family == AF_INET6) {
        if (!take_destination(&message, &segment->destination)) return 0;
        segment->source.v6.sin6_scope_id = 0;
    }
    if (protocol == IPPROTO_UDP) return inband_parse_datagram(family, buffer, (size_t)length, segment) == 0;
    return inband_parse(family, buffer, (size_t)length, segment) == 0;
}
