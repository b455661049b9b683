/* An epoll set of another process, which is changed from outside.
 *
 * epoll_ctl(2) knows an item by its file and the number that it had (struct epoll_filefd in fs/eventpoll.c), so whoever
 * changes one needs the file at that number: a task with a descriptor table of its own (own_table.h). */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "epoll/items.h"

/** Whose set, and our descriptors of the process and of the set. */
struct epoll_set {
    pid_t pid;
    int pidfd, fd;
};

/** Our descriptors out of the way of the numbers of these items. 0 or -errno. */
int epoll_set_make_room(struct epoll_set *set, const struct epoll_item *items, size_t count);

/** What the item has to tell is told anew then, if it is among `events`. After epoll_set_make_room(). 0 or -errno; -ESTALE:
 * its file is at none of the process's descriptors any more. */
int epoll_set_modify(const struct epoll_set *set, const struct epoll_item *item, uint32_t events);
