/*
 * Names that stay as the program knows them. After a move a connection has another local address, and its peer may
 * have; the program goes on being told what it was told before. Nothing is asked for that the program did not ask: a
 * name is noted when it is told for the first time.
 *
 * Only where a name cannot change by itself: streams that are connected, or listen. So the calls that make a socket one
 * of these are here as well.
 */
#pragma once

#include <sys/socket.h>

/* The program knows this address as the peer of fd: from connect, accept or getpeername. */
void names_note_peer(int fd, const struct sockaddr *address, socklen_t length);
/* fd is connected, or connects, with this peer from now on. */
void names_connected(int fd, const struct sockaddr *peer, socklen_t length);
