#include "udp/memberships.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 256 };

struct list {
    struct udp_membership *items;
    size_t count, room;
};

/* A filter with room for all sources. */
union filter {
    struct group_filter filter;
    uint8_t room[GROUP_FILTER_SIZE(MEMBERSHIP_SOURCES_MAX)];
};

static int level_of(const union socket_address *group) {
    return group->any.sa_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
}

/* 1: the socket is a member, and `filter` its filter. */
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
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 4;
        struct udp_membership *larger = realloc(list->items, room * sizeof *larger);

        if (!larger) return NULL;
        list->items = larger;
        list->room = room;
    }
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
    char line[LINE];
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
