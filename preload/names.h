/* What the program was told about a connection's addresses: names.c. */
#ifndef MIGRUN_SHIM_NAMES_H
#define MIGRUN_SHIM_NAMES_H

#include <sys/socket.h>

#pragma GCC visibility push(hidden)

/* The program knows this address as the peer of fd: from connect, accept or getpeername. */
void told_peer(int fd, const struct sockaddr *address, socklen_t length);
/* fd is no longer the connection that it was. */
void told_forget(int fd);
/* Tells the supervisor of a change of fd, where that can be a connection between hosts. */
void notify_if_inet(int fd);

#pragma GCC visibility pop

#endif
