#include "socket/obstacles.h"

#include "socket/lock.h"
#include "socket/socket.h"

#include <errno.h>
#include <linux/in6.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#ifndef TCP_AO_INFO
#define TCP_AO_INFO 40
#endif

static bool has_option(int fd, int level, int option) {
    int value = 0;

    return socket_get(fd, level, option, &value) == 0 && value != 0;
}

static bool has_bytes(int fd, int level, int option) {
    char bytes[16];
    socklen_t length = sizeof bytes;

    return getsockopt(fd, level, option, bytes, &length) == 0 && length > 0;
}

/* ENOENT says that there are no keys; EINVAL, that the answer is longer than an int, so that there are some. */
static bool has_authentication(int fd) {
    int ignored, result = socket_get(fd, IPPROTO_TCP, TCP_AO_INFO, &ignored);

    return result == 0 || result == -EINVAL;
}

/* poll(2) says so until the byte is read (tcp_poll in net/ipv4/tcp.c); the mark stays until it is passed. */
static bool has_urgent_data(int fd, short events) {
    int at_mark = 0;

    return events & POLLPRI || (ioctl(fd, SIOCATMARK, &at_mark) == 0 && at_mark);
}

/* `queue` is SIOCINQ, what is not read, or SIOCOUTQ, what is not acknowledged. */
static bool has_queued(int fd, unsigned long queue) {
    int length = 0;

    return ioctl(fd, queue, &length) == 0 && length > 0;
}

/* A SYN that carries data is two segments to the kernel (tcp_send_syn_data in net/ipv4/tcp_output.c). */
static bool is_fast_open(int fd) {
    struct tcp_info info;

    if (has_option(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT)) return true;
    return socket_tcp_info(fd, &info) == 0 && info.tcpi_unacked > 1;
}

static bool numbers_timestamps(int fd) {
    int flags = 0;

    return socket_get(fd, SOL_SOCKET, SO_TIMESTAMPING_OLD, &flags) == 0 && flags & SOF_TIMESTAMPING_OPT_ID;
}

static uint32_t bit(bool found, enum socket_obstacle obstacle) { return found ? 1u << obstacle : 0; }

static uint32_t tcp_obstacles(int fd, int state, short events) {
    uint32_t found = bit(has_bytes(fd, IPPROTO_TCP, TCP_ULP), OBSTACLE_UPPER_LAYER);

    found |= bit(has_authentication(fd), OBSTACLE_AUTHENTICATION);
    if (state == TCP_LISTEN) return found;
    if (state == TCP_CLOSE)
        return found | bit(events & POLLERR, OBSTACLE_ERROR_QUEUE) | bit(has_queued(fd, SIOCINQ), OBSTACLE_ENDED);
    if (state == TCP_SYN_SENT) return found | bit(is_fast_open(fd), OBSTACLE_FAST_OPEN);
    found |= bit(has_urgent_data(fd, events), OBSTACLE_URGENT_DATA);
    found |= bit(has_option(fd, IPPROTO_TCP, TCP_SAVE_SYN), OBSTACLE_SAVED_SYN);
    found |= bit(events & POLLERR, OBSTACLE_ERROR_QUEUE);
    return found | bit(has_option(fd, SOL_SOCKET, SO_ZEROCOPY) && has_queued(fd, SIOCOUTQ), OBSTACLE_ZEROCOPY);
}

/* Errors that wait are lost, as ICMP messages may be; but a program that sends without copying waits for its
 * notifications. */
static uint32_t udp_obstacles(int fd, short events) {
    uint32_t found = bit(has_option(fd, IPPROTO_UDP, UDP_CORK), OBSTACLE_CORKED);

    found |= bit(has_option(fd, IPPROTO_UDP, UDP_ENCAP), OBSTACLE_ENCAPSULATION);
    return found | bit(has_option(fd, SOL_SOCKET, SO_ZEROCOPY) && (events & POLLERR || has_queued(fd, SIOCOUTQ)),
                       OBSTACLE_ZEROCOPY);
}

static bool is_udp(int fd) {
    int protocol;

    return socket_get(fd, SOL_SOCKET, SO_PROTOCOL, &protocol) == 0 && protocol == IPPROTO_UDP;
}

uint32_t socket_obstacles(int fd, int state) {
    struct pollfd poller = {.fd = fd, .events = POLLPRI};
    uint32_t found = bit(socket_has_ebpf_filter(fd), OBSTACLE_EBPF_FILTER);

    poll(&poller, 1, 0);
    found |= bit(has_option(fd, SOL_SOCKET, SO_LOCK_FILTER), OBSTACLE_LOCKED_FILTER);
    found |= bit(numbers_timestamps(fd), OBSTACLE_TIMESTAMP_NUMBERS);
    found |= bit(state != TCP_CLOSE && socket_flow(fd) != 0, OBSTACLE_FLOW_LABEL);
    found |= bit(has_bytes(fd, IPPROTO_IPV6, IPV6_RTHDR) || has_bytes(fd, IPPROTO_IPV6, IPV6_HOPOPTS) ||
                     has_bytes(fd, IPPROTO_IPV6, IPV6_DSTOPTS) || has_bytes(fd, IPPROTO_IPV6, IPV6_RTHDRDSTOPTS),
                 OBSTACLE_EXTENSION_HEADERS);
    if (is_udp(fd)) return found | udp_obstacles(fd, poller.revents);
    found |= bit(has_option(fd, IPPROTO_IP, IP_UNICAST_IF) || has_option(fd, IPPROTO_IPV6, IPV6_UNICAST_IF),
                 OBSTACLE_INTERFACE);
    return state ? found | tcp_obstacles(fd, state, poller.revents) : found;
}
