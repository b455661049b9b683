/* UNIX sockets: which there are, and what waits in the receive queue of one. All return 0 or -errno. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct unix_socket {
    uint32_t inode;
    uint8_t type;     /* SOCK_STREAM ... */
    uint8_t state;    /* TCP_ESTABLISHED, TCP_LISTEN, TCP_CLOSE */
    uint8_t shutdown; /* bits: 1 for receiving, 2 for sending */
    /* The socket at its other end; 0: none, or one that waits to be accepted. */
    uint32_t peer;
    /* Bytes that it has sent and its other end has not received. */
    uint32_t unreceived;
    /*
     * What it is bound to: a path, or 0 and an abstract name; not ended by 0. Valid until the visit ends, as `waiting`
     * is.
     */
    const char *name;
    size_t name_length;
    /* Of a listening socket: the inodes of those whose connections wait to be accepted; 0 where one is closed. */
    const uint32_t *waiting;
    size_t waiting_count;
};

/** Visits every one of this network namespace, asked for with NETLINK_SOCK_DIAG (sock_diag(7)). */
int unix_sockets(void (*visit)(const struct unix_socket *socket, void *context), void *context);

/* What waits to be received. */
struct unix_queue {
    /*
     * There is a message of no bytes, of a socket that keeps messages apart. CRIU takes it for the end of the queue.
     * One that was looked at before, by anybody, is seen only where nothing else is in the queue.
     */
    bool has_empty;
    /* Our descriptors of those that are on their way (SCM_RIGHTS). */
    int *fds;
    size_t count;
};

/** Looks at the queue of a socket whose program stands still, and takes nothing out of it. The caller clears it, also
 * after an error. */
int unix_look_at_queue(int fd, struct unix_queue *queue);
/** Frees what it points to, and closes its descriptors. */
void unix_queue_clear(struct unix_queue *queue);
