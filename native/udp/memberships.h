/*
 * The multicast groups that a socket has joined, with their source filters (RFC 3678).
 *
 * The kernel lists them nowhere. It lists every group of the host (/proc/net/igmp, igmp6), and tells of one group whether
 * this socket is a member: MCAST_MSFILTER gives EADDRNOTAVAIL where it is not (ip_mc_gsfget() in net/ipv4/igmp.c,
 * ip6_mc_msfget() in net/ipv6/mcast.c).
 */
#pragma once

#include "socket/address.h"

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

/* Above the kernel's own limits (igmp_max_msf 10, mld_max_msf 64) where nobody raised them. */
enum { MEMBERSHIP_SOURCES_MAX = 64 };

struct udp_membership {
    char interface[IF_NAMESIZE];
    union socket_address group;
    uint32_t mode; /* MCAST_INCLUDE or MCAST_EXCLUDE */
    uint32_t source_count;
    union socket_address sources[MEMBERSHIP_SOURCES_MAX];
};

/** *memberships is the caller's to free(3). 0 or -errno: E2BIG where one has more sources than fit. */
int udp_memberships_read(int fd, int family, struct udp_membership **memberships, size_t *count);

/** Joins again. 0 or -errno: ENODEV where the interface is not here. */
int udp_memberships_join(int fd, const struct udp_membership *memberships, size_t count);
