/* Options that name an interface by its index, which is another one on another host: IP_UNICAST_IF and its like. */
#pragma once

#include <net/if.h>
#include <stddef.h>

enum { UDP_INTERFACES_MAX = 4 };

struct udp_interface {
    int level, name; /* of the option */
    char interface[IF_NAMESIZE];
};

/** Those that are set. 0 or -errno. */
int udp_interfaces_read(int fd, struct udp_interface interfaces[UDP_INTERFACES_MAX], size_t *count);

/** 0 or -errno: EINVAL for an option that is none of these, ENODEV where an interface is not here. */
int udp_interfaces_set(int fd, const struct udp_interface *interfaces, size_t count);
