/* What waits in the receive queue of a UNIX socket, without taking it: for a program that stands still. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct unix_queue {
    /** A message of no bytes, of a socket that keeps messages apart. CRIU takes it for the end of the queue. One that was
     * looked at before, by anybody, is seen only where nothing else is in the queue. */
    bool has_empty;
    /** Descriptors that are on their way (SCM_RIGHTS): ours, to be closed. */
    int *fds;
    size_t count;
};

/** 0 or -errno. The caller clears it either way. */
int unix_queue_look(int fd, struct unix_queue *queue);
void unix_queue_clear(struct unix_queue *queue);
