/*
 * Edges that a program has seen stay seen, although its epoll set, or a socket in it, is made anew.
 *
 * epoll_wait(2) tells of an edge-triggered item once, and again when its file wakes its waiters. A restored set is a
 * new one to the kernel, and a rebound socket wakes its waiters; both make every edge a fresh one. So while the program
 * stands still, its set is looked at before that and settled after it: an item that the program was told of, and that
 * has nothing to tell beyond what it had then, stays silent. No edge is lost by it: whatever else the set has to tell
 * is told again.
 *
 * The look waits on the set (epoll_wait) like the program, and so takes edges from it; they are put back at once
 * (EPOLL_CTL_MOD, epoll/set.h). One task does both (process_run_with_own_descriptors), so that both are done whatever
 * becomes of the calling process.
 *
 * Every process that uses the set stands still meanwhile.
 */
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

/** What the program was told of an item. */
struct epoll_note {
    int fd;           /* the number by which the set knows the item */
    uint32_t told;    /* the events (EPOLL*) that its file has, and that the program was told of */
    bool is_disarmed; /* it is one-shot, and the program was told of it */
};

/**
 * Which items may stay silent, because nobody but the program and us brings their events about. Those of sockets with
 * these inodes (ascending), which are locked. With `is_whole`, all processes that use any of the items stand still:
 * then room to write, of all items, and eventfds too.
 */
struct epoll_still {
    const uint32_t *inodes;
    size_t count;
    bool is_whole;
};

/**
 * Notes what the program was told, for items of which it was told anything. *notes is the caller's to free(3), also
 * after an error. 0 or -errno: -ENOENT, -ESRCH, -EBADF where the process or the set is gone; -ESTALE where an item's
 * file is at none of the process's descriptors any more, so that an edge of it may be lost.
 */
int epoll_look(struct epoll_place place, const struct epoll_still *still, struct epoll_note **notes, size_t *count);

/**
 * Silences what was noted, in the same set, or, with `is_restored`, in a new one at its place. In a new one, a one-shot
 * item that the program was told of is armed for EPOLLHUP and EPOLLERR (ep_insert() adds both), and is disarmed if its
 * file has anything to tell now. Returns what epoll_look does.
 */
int epoll_settle(struct epoll_place place, struct epoll_note *notes, size_t count, bool is_restored);
