#include "udp/interfaces.h"

#include "kernel/array.h"
#include "socket/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef IPV6_UNICAST_IF
#define IPV6_UNICAST_IF 76 /* include/uapi/linux/in6.h */
#endif

static const struct {
    int level, name;
    bool network_order;
} options[] = {
    {IPPROTO_IP, IP_UNICAST_IF, true},
    {IPPROTO_IPV6, IPV6_UNICAST_IF, true},
    {IPPROTO_IPV6, IPV6_MULTICAST_IF, false},
};
#define OPTIONS (sizeof options / sizeof *options)
_Static_assert(OPTIONS <= (size_t)UDP_INTERFACES_MAX, "room for all");

bool udp_has_interface(const char *name) { return if_nametoindex(name) != 0; }

int udp_interfaces_read(int fd, struct udp_interface interfaces[UDP_INTERFACES_MAX], size_t *count) {
    *count = 0;
    for (size_t i = 0; i < OPTIONS; i++) {
        struct udp_interface *one = &interfaces[*count];
        int value;

        if (socket_get(fd, options[i].level, options[i].name, &value) < 0) continue; /* not of this family */
        if (options[i].network_order) value = (int)ntohl((uint32_t)value);
        if (value == 0) continue;
        *one = (struct udp_interface){.level = options[i].level, .name = options[i].name};
        if (!if_indextoname((unsigned)value, one->interface)) return -errno;
        ++*count;
    }
    return 0;
}

static int set_one(int fd, const struct udp_interface *one) {
    unsigned index = if_nametoindex(one->interface);

    if (index == 0) return -errno;
    for (size_t i = 0; i < OPTIONS; i++)
        if (options[i].level == one->level && options[i].name == one->name)
            return socket_set(fd, one->level, one->name, (int)(options[i].network_order ? htonl(index) : index));
    return -EINVAL;
}

int udp_interfaces_set(int fd, const struct udp_interface *interfaces, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int result = set_one(fd, &interfaces[i]);

        if (result < 0) return result;
    }
    return 0;
}

struct list {
    struct udp_membership *items;
    size_t count;
};

/* A filter with room for all sources. */
union filter {
    struct group_filter filter;
    uint8_t room[GROUP_FILTER_SIZE(MEMBERSHIP_SOURCES_MAX)];
};

static int level_of(const union socket_address *group) {
    return group->any.sa_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
}

/* Returns 1 where the socket is a member, with its filter. */
static int ask(int fd, unsigned interface, const union socket_address *group, union filter *filter) {
    socklen_t length = sizeof *filter;

    memset(filter, 0, sizeof *filter);
    filter->filter.gf_interface = interface;
    memcpy(&filter->filter.gf_group, group, socket_address_length(group));
    filter->filter.gf_numsrc = MEMBERSHIP_SOURCES_MAX;
    if (getsockopt(fd, level_of(group), MCAST_MSFILTER, filter, &length)) return errno == EADDRNOTAVAIL ? 0 : -errno;
    return filter->filter.gf_numsrc > MEMBERSHIP_SOURCES_MAX ? -E2BIG : 1;
}

static struct udp_membership *append(struct list *list) {
    struct udp_membership *larger = array_grow(list->items, list->count, sizeof *larger);

    if (!larger) return NULL;
    list->items = larger;
    return memset(&list->items[list->count++], 0, sizeof *list->items);
}

static int add_if_member(int fd, unsigned interface, const union socket_address *group, struct list *list) {
    struct udp_membership *membership;
    union filter filter;
    int result = ask(fd, interface, group, &filter);

    if (result <= 0) return result;
    membership = append(list);
    if (!membership) return -ENOMEM;
    if (!if_indextoname(interface, membership->interface)) return -errno;
    membership->group = *group;
    membership->mode = filter.filter.gf_fmode;
    membership->source_count = filter.filter.gf_numsrc;
    for (uint32_t i = 0; i < membership->source_count; i++)
        memcpy(&membership->sources[i], &filter.filter.gf_slist[i], sizeof membership->sources[i]);
    return 0;
}

/* "1\tlo  : 1 V3" names an interface, "\t\t\t\t010000E0 1 ..." one of its groups, as it lies in memory. */
static bool parse_v4(const char *line, unsigned *interface, union socket_address *group) {
    unsigned address;

    if (line[0] != '\t') {
        if (sscanf(line, "%u", interface) != 1) *interface = 0;
        return false;
    }
    if (*interface == 0 || sscanf(line, "%x", &address) != 1) return false;
    *group = (union socket_address){.v4 = {.sin_family = AF_INET, .sin_addr = {address}}};
    return true;
}

/* "2    eth0   ff020000000000000000000000000001 1 0000000C 0" */
static bool parse_v6(const char *line, unsigned *interface, union socket_address *group) {
    char text[33] = "";

    *group = (union socket_address){.v6 = {.sin6_family = AF_INET6}};
    if (sscanf(line, "%u %*s %32[0-9a-f]", interface, text) != 2 || strlen(text) != 32) return false;
    for (int i = 0; i < 16; i++) sscanf(text + 2 * i, "%2hhx", &group->v6.sin6_addr.s6_addr[i]);
    return true;
}

static int read_family(int fd, int family, struct list *list) {
    FILE *file = fopen(family == AF_INET ? "/proc/thread-self/net/igmp" : "/proc/thread-self/net/igmp6", "re");
    union socket_address group;
    unsigned interface = 0;
    char line[256];
    int result = 0;

    if (!file) return errno == ENOENT ? 0 : -errno; /* a kernel without multicast, or without IPv6 */
    while (result == 0 && fgets(line, sizeof line, file)) {
        bool found = family == AF_INET ? parse_v4(line, &interface, &group) : parse_v6(line, &interface, &group);

        if (found) result = add_if_member(fd, interface, &group, list);
    }
    fclose(file);
    return result;
}

int udp_memberships_read(int fd, int family, struct udp_membership **memberships, size_t *count) {
    struct list list = {0};
    int result = read_family(fd, AF_INET, &list); /* an AF_INET6 socket can join groups of IPv4 too */

    if (result == 0 && family == AF_INET6) result = read_family(fd, AF_INET6, &list);
    if (result < 0) {
        free(list.items);
        return result;
    }
    *memberships = list.items;
    *count = list.count;
    return 0;
}

static int join(int fd, const struct udp_membership *membership) {
    struct group_req request = {.gr_interface = if_nametoindex(membership->interface)};
    int level = level_of(&membership->group);
    union filter filter = {.filter = {.gf_fmode = membership->mode, .gf_numsrc = membership->source_count}};

    if (request.gr_interface == 0) return -errno;
    memcpy(&request.gr_group, &membership->group, sizeof membership->group);
    if (setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof request)) return -errno;
    if (membership->mode == MCAST_EXCLUDE && membership->source_count == 0) return 0;
    filter.filter.gf_interface = request.gr_interface;
    filter.filter.gf_group = request.gr_group;
    for (uint32_t i = 0; i < membership->source_count; i++)
        memcpy(&filter.filter.gf_slist[i], &membership->sources[i], sizeof membership->sources[i]);
    if (setsockopt(fd, level, MCAST_MSFILTER, &filter, GROUP_FILTER_SIZE(membership->source_count))) return -errno;
    return 0;
}

int udp_memberships_join(int fd, const struct udp_membership *memberships, size_t count) {
    for (size_t i = 0; i < count; i++) {
        int result = join(fd, &memberships[i]);

        if (result < 0) return result;
    }
    return 0;
}

int udp_interfaces(int fd, char (**names)[IF_NAMESIZE], size_t *count) {
    struct udp_interface named[UDP_INTERFACES_MAX];
    struct udp_membership *memberships = NULL;
    size_t option_count = 0, membership_count = 0;
    int family, result = socket_get(fd, SOL_SOCKET, SO_DOMAIN, &family);

    if (result == 0) result = udp_interfaces_read(fd, named, &option_count);
    if (result == 0) result = udp_memberships_read(fd, family, &memberships, &membership_count);
    if (result < 0) return result;
    *count = option_count + membership_count;
    *names = calloc(*count + 1, sizeof **names);
    for (size_t i = 0; *names && i < *count; i++)
        memcpy((*names)[i], i < option_count ? named[i].interface : memberships[i - option_count].interface,
               IF_NAMESIZE);
    free(memberships);
    return *names ? 0 : -ENOMEM;
}
