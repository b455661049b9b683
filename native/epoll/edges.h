/* What a program that waits on an epoll set has been told already, across a move.
 *
 * An edge-triggered item is told of once, and again when its file wakes its waiters. A restored set is a new one to the
 * kernel, and a rebound socket wakes its waiters; both make every edge a fresh one. So while the program stands still, its
 * set is looked at before that and settled after it: an item that had been told of, and has nothing to tell beyond what it
 * had then, stays silent. No edge is lost by it: whatever else the set has to tell is told again.
 *
 * Who looks is one more that waits on the set (epoll_wait), which takes edges from the program; they are put back
 * (EPOLL_CTL_MOD, epoll_set.h) at once. Both are done by one task (own_table.h), and so together, whatever becomes of the
 * calling process.
 *
 * Whoever uses the set stands still. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Descriptor `fd` of a process is an epoll set. */
struct epoll_place {
    pid_t pid;
    int fd;
};

/** Of an item, by the number by which the set knows it. */
struct epoll_note {
    int fd;
    uint32_t told;    /* EPOLL*: what its file has, and the program was told of */
    bool is_disarmed; /* one-shot, and told of */
};

/** Whose events nobody but the program and us brings about, so that they may stay silent: those of sockets with these
 * inodes (ascending), which are locked; if `is_whole`, all processes that use any of the items stand still, and their room
 * to write and their eventfds are meant too. */
struct epoll_still {
    const uint32_t *inodes;
    size_t count;
    bool is_whole;
};

/** *notes are of those items that have any, and the caller's to free(3), also after an error. 0 or -errno: -ENOENT, -ESRCH, -EBADF where the
 * process or the set is gone; -ESTALE where an item's file is at none of the process's descriptors any more, so that an
 * edge of it may be lost. */
int epoll_edges_look(struct epoll_place place, const struct epoll_still *still, struct epoll_note **notes,
                     size_t *count);

/** Of the same set, or, with `is_restored`, of a new one at its place: in that, a one-shot item that was told of is armed for
 * EPOLLHUP and EPOLLERR (ep_insert() adds both); it is disarmed, if its file has anything to tell now. As above. */
int epoll_edges_settle(struct epoll_place place, struct epoll_note *notes, size_t count, bool is_restored);
