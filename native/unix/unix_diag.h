/* UNIX sockets of this network namespace, asked for with NETLINK_SOCK_DIAG (sock_diag(7)). */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct unix_diag_socket {
    uint32_t inode;
    uint8_t type;     /* SOCK_STREAM ... */
    uint8_t state;    /* TCP_ESTABLISHED, TCP_LISTEN, TCP_CLOSE */
    uint8_t shutdown; /* bits: 1 for receiving, 2 for sending */
    /* The socket at its other end; 0: none, or one that waits to be accepted. */
    uint32_t peer;
    /* Bytes that it has sent and its other end has not received. */
    uint32_t unreceived;
    /* As bound: a path, or 0 and an abstract name; not ended by 0. Good until the visit ends, as `waiting` is. */
    const char *name;
    size_t name_length;
    /* Of a listening socket: the inodes of those whose connections wait to be accepted; 0 where one is closed. */
    const uint32_t *waiting;
    size_t waiting_count;
};

/** Visits each. 0 or -errno. */
int unix_diag_each(void (*visit)(const struct unix_diag_socket *socket, void *context), void *context);
