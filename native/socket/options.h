/*
 * The options that a program has set on an inet socket, read from one socket and given to another.
 *
 * CRIU carries some of them (criu/sockets.c, criu/sk-inet.c), a socket that is revived keeps most, and a socket that is
 * made again has none. So all of them are read, as far as they differ from a new socket's, and written wherever the
 * other socket has something else: what the program never touched stays under the other kernel's own rules.
 *
 * Not among them: the sizes of buffers, which CRIU carries with their locks (SO_BUF_LOCK), so that the kernel goes on
 * tuning those that the program did not set; filters (socket/lock.h); what names an interface or a program of this host
 * (socket/obstacles.h); what only tells what the socket is doing. TCP_REPAIR changes SO_REUSEADDR, which
 * therefore is to be read before.
 *
 * What a new socket has is asked once for each kind of socket: a program may have many thousand of one.
 *
 * All functions return 0 or -errno.
 */
#pragma once

#include "socket/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define SOCKET_OPTION_ROOM 64 /* IP_OPTIONS 40, a TCP Fast Open key 32 bytes */
#define SOCKET_OPTIONS_MAX 128

struct socket_option {
    int level, name;
    uint32_t length;
    uint8_t value[SOCKET_OPTION_ROOM];
};

struct untouched_socket;

/**
 * What sockets have that nobody has touched; {0} knows nothing yet. For a batch: it changes with the host's settings.
 */
struct untouched_sockets {
    struct untouched_socket *kinds;
    size_t count;
};

void untouched_sockets_free(struct untouched_sockets *untouched);

/**
 * Reads the options that differ from a new socket's, in the order in which they are to be written; `options` has room
 * for SOCKET_OPTIONS_MAX.
 */
int socket_read_options(int fd, struct untouched_sockets *untouched, struct socket_option *options, size_t *count);

/**
 * Sets what the socket has not got yet; goes on after a failure and reports the first. `early`: the socket will be
 * bound or connected yet, and what can be set only after that is left to a second call; whatever is not among the
 * options becomes as on a new socket. *refused names the option that the kernel does not take (its module is missing,
 * there is no such device). EINVAL with "setsockopt": an option that is none of socket_read_options's.
 */
int socket_write_options(int fd, struct untouched_sockets *untouched, const struct socket_option *options, size_t count,
                         bool early, const char **refused);

/**
 * Tries options on a new socket. *refused: the name of the first that this kernel does not take; NULL: it takes all.
 */
int socket_refused_option(int family, int type, int protocol, const struct socket_option *options, size_t count,
                          const char **refused);

/**
 * Binds a new TCP socket with these options for a moment, and listens on it. *reason: the -errno of what does not go;
 * 0: it goes.
 */
int socket_why_not_bound(int family, const struct socket_option *options, size_t count,
                         const union socket_address *local, bool listens, int *reason);
