/*
 * The accept queue of a listening socket: taking connections out of it, and putting them back into it, or into that of
 * another host's listening socket.
 *
 * Theory of operation
 *
 * Nothing but a handshake puts a connection into an accept queue. So one is played to the listening socket, with
 * segments as the other end would have sent them (accept/peer.h), whose numbers are those of the connection as
 * it was saved: the SYN's is one before the first byte that nobody has read, the answer's is chosen
 * (accept/peer.h) one before the first byte that the program will write, for it has written none. The SYN carries
 * the options that were agreed on; then come the bytes that nobody has read. What stands in the queue then is a
 * connection like any other. Whatever waits for it is woken as always: accept(2), poll(2), an epoll set.
 *
 * All of it takes place behind a gate (accept/gate.h). The segments' timestamps are 0, which says nothing
 * (tcp_paws_check), and our side's clock is the one that the kernel has for these addresses, which a connection that
 * goes back to where it came from had before. One that was saved after its reset (TCP_CLOSE) is reset again in the
 * queue: its program is told.
 *
 * All functions return 0 or -errno. All calls come from one thread.
 */
#pragma once

#include "socket/socket.h"
#include "socket/collect.h"
#include "tcp/tcp.h"

#include <stdbool.h>
#include <stddef.h>

/* A connection that was taken out of an accept queue. */
struct queued_socket {
    struct program_socket socket;
    int receive_buffer; /* SO_RCVBUF */
};

/**
 * Takes what waits, in its order, out of the queue of a listening socket that nobody else accepts from meanwhile; the
 * socket may be a blocking one. What this process has no descriptors left for stays. *taken is malloc'd; the caller
 * frees it and owns the descriptors.
 */
int accept_queue_take(int listener, struct queued_socket **taken, size_t *count);

/**
 * The state of a taken connection that its other end (`remote`) had reset before anybody accepted it: the bytes that
 * came before that, and numbers of no meaning. The caller clears it (tcp_saved_clear).
 */
int accept_queue_save_reset(int fd, const union socket_address *remote, struct tcp_saved *saved);

struct waiting_connection {
    int listener;
    const struct tcp_saved *saved;
    union socket_address local, remote;
    int receive_buffer; /* as it was taken with */
    /* The other end is not revived, so what it has said (a FIN, ECN) is said once more. */
    bool peer_stays;
};

/**
 * Puts saved connections into the queues of locked listening sockets (socket/lock.h), behind each other, and locks
 * these again, without a lease. `pod` and `own` are for gate_shut(). Stops at the first failure: ENOSPC, the queue is
 * full; EPROTO, this host's TCP agrees on other options (net.ipv4.tcp_timestamps and its like); ETIMEDOUT, a segment
 * did not arrive, so something filters what this host says to itself.
 */
int accept_queue_fill(const struct waiting_connection *waiting, size_t count, const char *pod, const char *own,
                      struct failure *failure);
