#include "udp/interfaces.h"

#include "tcp/repair.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef IPV6_UNICAST_IF
#define IPV6_UNICAST_IF 76 /* include/uapi/linux/in6.h */
#endif

static const struct entry {
    int level, name;
    bool network_order;
} table[] = {
    {IPPROTO_IP, IP_UNICAST_IF, true},
    {IPPROTO_IPV6, IPV6_UNICAST_IF, true},
    {IPPROTO_IPV6, IPV6_MULTICAST_IF, false},
};
#define TABLE_SIZE (sizeof table / sizeof *table)
_Static_assert(TABLE_SIZE <= (size_t)UDP_INTERFACES_MAX, "room for all");

int udp_interfaces_read(int fd, struct udp_interface interfaces[UDP_INTERFACES_MAX], size_t *count) {
    *count = 0;
    for (size_t i = 0; i < TABLE_SIZE; i++) {
        struct udp_interface *one = &interfaces[*count];
        int value;

        if (socket_get(fd, table[i].level, table[i].name, &value) < 0) continue; /* not of this family */
        if (table[i].network_order) value = (int)ntohl((uint32_t)value);
        if (value == 0) continue;
        *one = (struct udp_interface){.level = table[i].level, .name = table[i].name};
        if (!if_indextoname((unsigned)value, one->interface)) return -errno;
        ++*count;
    }
    return 0;
}

static int set_one(int fd, const struct udp_interface *one) {
    unsigned index = if_nametoindex(one->interface);

    if (index == 0) return -errno;
    for (size_t i = 0; i < TABLE_SIZE; i++)
        if (table[i].level == one->level && table[i].name == one->name)
            return socket_set(fd, one->level, one->name, (int)(table[i].network_order ? htonl(index) : index));
    return -EINVAL;
}

int udp_interfaces_set(int fd, const struct udp_interface *interfaces, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int result = set_one(fd, &interfaces[i]);

        if (result < 0) return result;
    }
    return 0;
}
