/* What the in-band sockets' filter lets through, in a network namespace of its own. Arguments: none.
 * Each case is a segment of its own over the loopback, which delivers within the send. */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "inband/inband.h"

struct variant {
    const char *name;
    int passes;
    /* Bytes of options in the IPv4 header. */
    int ip_options;
    /* The TCP header's length, and what is in it and after it from byte 20 on. */
    int header;
    uint8_t rest[20];
};

static const struct variant variants[] = {
    {"our option", 1, 0, 28, {253, 6, 'M', 'G', 'S', 'K'}},
    {"our option after IP options", 1, 8, 28, {253, 6, 'M', 'G', 'S', 'K'}},
    {"our option, full IP header", 1, 40, 28, {253, 6, 'M', 'G', 'S', 'K'}},
    {"another kind", 0, 0, 28, {254, 6, 'M', 'G', 'S', 'K'}},
    {"another ExID", 0, 0, 28, {253, 6, 'M', 'G', 'S', 'L'}},
    {"our option second", 0, 0, 32, {1, 253, 6, 'M', 'G', 'S', 'K'}},
    {"no option, our bytes as data", 0, 0, 20, {253, 6, 'M', 'G', 'S', 'K'}},
    {"a header too short, our bytes half as data", 0, 0, 24, {253, 6, 'M', 'G', 'S', 'K'}},
    {"our bytes where a header without IP options would have them", 0, 8, 20, {0, 0, 0, 0, 253, 6, 'M', 'G', 'S', 'K'}},
};

static void require(int holds, const char *what) {
    if (holds) return;
    perror(what);
    exit(1);
}

static void own_network(void) {
    struct ifreq loopback = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    require(unshare(CLONE_NEWNET) == 0, "unshare");
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    require(ioctl(fd, SIOCSIFFLAGS, &loopback) == 0, "loopback up");
    close(fd);
}

static void send_variant(int family, const struct variant *variant) {
    static const uint8_t no_operation[40] = {[0 ... 39] = 1};
    union socket_address to;
    uint8_t segment[40] = {0};
    int fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);

    require(fd >= 0, "socket");
    require(socket_address_parse(&to, family, family == AF_INET ? "127.0.0.1" : "::1", 0) == 0, "address");
    socklen_t options = (socklen_t)variant->ip_options;
    if (options > 0) require(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, no_operation, options) == 0, "IP_OPTIONS");
    segment[12] = (uint8_t)(variant->header / 4 << 4);
    segment[13] = 0x10;
    memcpy(segment + 20, variant->rest, sizeof variant->rest);
    require(sendto(fd, segment, sizeof segment, 0, &to.any, socket_address_length(&to)) == sizeof segment, "sendto");
    close(fd);
}

static int drain(int fd) {
    char packet[256];
    int count = 0;

    while (recv(fd, packet, sizeof packet, 0) >= 0) count++;
    require(errno == EAGAIN, "recv");
    return count;
}

int main(void) {
    const int families[] = {AF_INET, AF_INET6};
    int failed = 0;

    own_network();
    for (int f = 0; f < 2; f++) {
        int fd = inband_open(families[f], IPPROTO_TCP);
        require(fd >= 0, "inband_open");
        for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
            if (families[f] == AF_INET6 && variants[i].ip_options > 0) continue;
            send_variant(families[f], &variants[i]);
            int passed = drain(fd);
            int ok = passed == variants[i].passes;
            failed |= !ok;
            printf("%s IPv%d: %s: %d\n", ok ? "ok" : "not ok", f ? 6 : 4, variants[i].name, passed);
        }
        close(fd);
    }
    return failed;
}
