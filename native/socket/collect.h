/* The inet sockets of processes, reached from outside: pidfd_getfd(2) gives the same socket object. */
#pragma once

#include "socket/socket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct program_socket {
    int fd; /* ours */
    uint64_t inode;
    pid_t pid; /* where it was found first; -1: nowhere */
    int pfd;
    int family, type, protocol;
    int state; /* TCP_ESTABLISHED ...; 0 where not TCP */
    union socket_address local, remote;
    uint32_t backlog;       /* waiting to be accepted; listening sockets only */
    uint32_t backlog_limit; /* listen(2)'s, as far as the kernel took it */
    bool ended;             /* TCP: it was connected once, or tried to be, and is closed now */
    uint32_t obstacles;     /* what cannot be carried: bits of enum socket_obstacle */
};

/**
 * Takes every AF_INET and AF_INET6 socket of these processes, each object once, in the order of `pids` and
 * of descriptors. Of a process that is not frozen some may be missed, and one that ends meanwhile has none.
 * *sockets is malloc'd; the caller frees it and closes every fd in it.
 * 0 or -errno (with failure->index into pids): EPERM without CAP_SYS_PTRACE.
 */
int socket_collect(const pid_t *pids, size_t count, struct program_socket **sockets, size_t *found,
                   struct failure *failure);

/** Reads the field `state` of each, and nothing else. 0 or -errno. */
int socket_tcp_states(const int *fds, size_t count, int *states, struct failure *failure);

/** Describes one descriptor of ours. 0 or -errno: EAFNOSUPPORT for a socket that is not inet, ENOTSOCK. */
int socket_describe(int fd, struct program_socket *socket);
