/* An epoll set of another process: its items, and how they are changed from outside. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What /proc/<pid>/fdinfo/<fd> shows of an item (ep_show_fdinfo() in fs/eventpoll.c). */
struct epoll_item {
    int fd;          /* the number by which the set knows it */
    uint32_t events; /* EPOLL* */
    uint64_t data;
    uint32_t inode; /* of the file that is watched */
};

/**
 * Reads all items. *items are in order of their data, and the caller's to free(3). 0 or -errno: -ENOENT where the
 * process or the descriptor is gone.
 */
int epoll_items_read(pid_t pid, int fd, struct epoll_item **items, size_t *count);

/*
 * The process that has the set, and our descriptors of that process and of the set. epoll_ctl(2) knows an item by its
 * file and the number that it had (struct epoll_filefd in fs/eventpoll.c), so whoever changes one needs the file at
 * that number: a task with a descriptor table of its own (process_run_with_own_descriptors).
 */
struct epoll_set {
    pid_t pid;
    int pidfd, fd;
};

/** Moves our descriptors out of the way of the numbers of these items. 0 or -errno. */
int epoll_set_make_room(struct epoll_set *set, const struct epoll_item *items, size_t count);

/**
 * Gives the item these events: what it has to tell of them is told anew. Only after epoll_set_make_room(). 0 or -errno;
 * -ESTALE: its file is at none of the process's descriptors any more.
 */
int epoll_set_modify(const struct epoll_set *set, const struct epoll_item *item, uint32_t events);
