/*
 * What every other room asks of a socket, or does to one: an option, its names, bind(2). And what a new socket is made
 * to ask the kernel, and closed again.
 *
 * All functions return 0 or -errno where nothing else is said.
 */
#pragma once

#include "socket/address.h"

#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>

/* Where a call that takes many sockets stopped; filled in only where it returns a negative errno. */
struct failure {
    size_t index;     /* into the caller's array */
    const char *step; /* the kernel call or option that refused; static storage */
};

/** Does `one` to each socket, goes on after a failure, and returns the first; `one` sets *step. */
int socket_each(const int *fds, size_t count, int (*one)(int fd, const char **step), struct failure *failure);

/** A socket option of at most `size` bytes; what is beyond its own length stays as it is. */
int socket_get_bytes(int fd, int level, int option, void *value, socklen_t size);

/** A socket option of int size. */
int socket_get(int fd, int level, int option, int *value);
int socket_set(int fd, int level, int option, int value);

/**
 * Gives a buffer the size and the locks that SO_RCVBUF or SO_SNDBUF and SO_BUF_LOCK have told. `force` is the option
 * that knows no limit: SO_RCVBUFFORCE, SO_SNDBUFFORCE.
 */
int socket_set_buffer(int fd, int force, int size, int locks);

/** SO_COOKIE, a number that no other socket of this host ever has. */
int socket_cookie(int fd, uint64_t *cookie);

/** What tcp_info(7) says, as far as the kernel and <netinet/tcp.h> both know it. */
int socket_tcp_info(int fd, struct tcp_info *info);

/** getsockname(2). */
int socket_local(int fd, union socket_address *address);

/** getpeername(2); a socket that is not connected has the zero address of its family. */
int socket_remote(int fd, int family, union socket_address *address);

/**
 * Reads the peer's address also of a TCP socket that is being connected, or was (inet_getname in net/ipv4/af_inet.c).
 */
int socket_former_remote(int fd, int family, union socket_address *address);

/**
 * Returns sin6_flowinfo of a connection, flow label and traffic class, also of one that is being made or was closed.
 * The kernel tells it, and connect(2) takes it, where IPV6_FLOWINFO_SEND is set (inet6_getname() in
 * net/ipv6/af_inet6.c). Network byte order; 0: none.
 */
uint32_t socket_flow(int fd);

/**
 * Gives a restored socket its name, which CRIU cannot do where that is another one here: bind(2), also of a port that
 * only connections have, and listen(2) where `backlog` is not below 0. Port 0 is left to IP_BIND_ADDRESS_NO_PORT.
 * *step: the call that failed.
 */
int socket_bind(int fd, const union socket_address *local, int backlog, const char **step);

/** A TCP port of an address of this host that no socket of it has; it is nobody's yet. */
int socket_free_port(const union socket_address *address, uint16_t *port);

/** The source address (port 0) that a packet to `remote` would have now: a route look-up, no packet. -ENETUNREACH,
 * -EHOSTUNREACH and -EADDRNOTAVAIL all mean that there is no way there. */
int socket_route_source(const union socket_address *remote, union socket_address *source);
