/*
 * What of a UDP socket names an interface of this host: options that hold an interface's index, which is another one on
 * another host (IP_UNICAST_IF and its like), and the multicast groups that it has joined, with their source filters
 * (RFC 3678). Here both have the interface's name.
 *
 * The kernel lists a socket's groups nowhere. It lists every group of the host (/proc/net/igmp, igmp6), and tells of
 * one group whether this socket is a member: MCAST_MSFILTER gives EADDRNOTAVAIL where it is not (ip_mc_gsfget() in
 * net/ipv4/igmp.c, ip6_mc_msfget() in net/ipv6/mcast.c).
 *
 * All functions return 0 or -errno.
 */
#pragma once

#include "socket/address.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    UDP_INTERFACES_MAX = 4,
    /* Above the kernel's own limits (igmp_max_msf 10, mld_max_msf 64) where nobody raised them. */
    MEMBERSHIP_SOURCES_MAX = 64,
};

/* An option that is set to an interface. */
struct udp_interface {
    int level, name; /* of the option */
    char interface[IF_NAMESIZE];
};

struct udp_membership {
    char interface[IF_NAMESIZE];
    union socket_address group;
    uint32_t mode; /* MCAST_INCLUDE or MCAST_EXCLUDE */
    uint32_t source_count;
    union socket_address sources[MEMBERSHIP_SOURCES_MAX];
};

/**
 * Reads which interfaces options and groups name; not what the socket is bound to. *names is the caller's to free(3).
 */
int udp_interfaces(int fd, char (**names)[IF_NAMESIZE], size_t *count);

/** Whether this network namespace has an interface of that name. */
bool udp_has_interface(const char *name);

/** Reads the options that are set. */
int udp_interfaces_read(int fd, struct udp_interface interfaces[UDP_INTERFACES_MAX], size_t *count);

/** Sets them again: EINVAL for an option that is none of these, ENODEV where an interface is not here. */
int udp_interfaces_set(int fd, const struct udp_interface *interfaces, size_t count);

/** Reads the groups. *memberships is the caller's to free(3). E2BIG where one has more sources than fit. */
int udp_memberships_read(int fd, int family, struct udp_membership **memberships, size_t *count);

/** Joins them again: ENODEV where the interface is not here. */
int udp_memberships_join(int fd, const struct udp_membership *memberships, size_t count);
