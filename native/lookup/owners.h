/* Which processes have a socket or an epoll set open, by its inode: what /proc/<pid>/fd says. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Stands for the inode of every epoll set. No socket has it: get_next_ino() in fs/inode.c leaves it out. */
#define OWNER_OF_EPOLL 0u

struct owner {
    uint32_t inode;
    pid_t pid;
    int fd;
};

/**
 * Finds who has these inodes, or, with inodes NULL, any; among these processes, or, with pids NULL, among all. *owners
 * has every (process, descriptor), in no order, and is the caller's to free(3). Processes that end meanwhile, and those
 * that we may not look into, are left out. A descriptor that is only under way (SCM_RIGHTS) is nobody's. 0 or -errno.
 */
int owners_find(const uint32_t *inodes, size_t inode_count, const pid_t *pids, size_t pid_count, struct owner **owners,
                size_t *count);

/** Whether the process still has it at this descriptor; any epoll set there will do where it was one. */
bool owner_is(const struct owner *owner);
