/* The items of an epoll set, as /proc/<pid>/fdinfo/<fd> shows them (ep_show_fdinfo() in fs/eventpoll.c). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct epoll_item {
    int fd;          /* the number by which the set knows it */
    uint32_t events; /* EPOLL* */
    uint64_t data;
    uint32_t inode; /* of the file that is watched */
};

/** *items are in order of their data, and the caller's to free(3). 0, or -errno: -ENOENT where the process or the
 * descriptor is gone. */
int epoll_items_read(pid_t pid, int fd, struct epoll_item **items, size_t *count);
