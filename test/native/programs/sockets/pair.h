/* Both ends of a loopback connection, the byte pattern that crosses it, and moving it to other addresses. */
#pragma once

#include "socket/address.h"
#include "tcp/tcp.h"

#include <stdbool.h>
#include <stddef.h>

enum kind { V4, V6, MAPPED, KINDS };

/* a has connected, b was accepted; both are non-blocking. */
struct pair {
    enum kind kind;
    int a, b;
};

/* Address `number` (1 to 3) of the namespace's loopback. */
union socket_address address_of(enum kind kind, int number, uint16_t port);

/* Makes a network namespace, loopback up, with all these addresses. A process may do it once. */
void network_make(void);

/* Makes a connection at address 1. The listener stays open on b's port. */
struct pair pair_open(enum kind kind);

/* Sends the FIN of one end, and waits until it is received where the other end is not locked. */
void shut(int fd);

/* Locks and saves both ends. */
void pair_save(const struct pair *pair, struct tcp_saved saved[2]);

/* Revives both, a at address 2 and b at address 3, with the ports that they had, and does not release them. Clears
 * `saved`. */
void pair_revive(const struct pair *pair, struct tcp_saved saved[2]);

/* Does all of it: lock, save, revive, release. */
void pair_move(const struct pair *pair);

/* One direction of a connection: what was written and what was read of the pattern. */
struct stream {
    int from, to;
    size_t written, read;
};

/* Writes `size` bytes, or until the kernel takes no more. */
void stream_write(struct stream *stream, size_t size);

/* Reads `size` bytes and checks each; within the time, or the case failed. */
void stream_read(struct stream *stream, size_t size, int milliseconds);

/* Reads all that was written. */
void stream_drain(struct stream *stream, int milliseconds);

/* Whether poll(2) sees one of these events within the time. */
bool poll_for(int fd, short events, int milliseconds);

/* A line `Group: counter` of /proc/net/snmp or netstat of the namespace. */
long counter(const char *file, const char *group, const char *name);

/* Sent and retransmitted segments of the namespace so far. */
long segments_sent(void);
long segments_again(void);

double milliseconds_now(void);
