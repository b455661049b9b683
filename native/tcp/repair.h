/* TCP_REPAIR, its options, and the bytes of a socket's two queues: one call each (tcp.c has the order). All return 0 or
 * -errno. */
#pragma once

#include "socket/address.h"
#include "socket/records.h"
#include "socket/socket.h"

#include <stdint.h>
#include <sys/socket.h>

/** Turns repair on and notes the program's SO_REUSEADDR in the record, which repair overwrites. */
int tcp_repair_on(int fd, struct socket_record *record);

/** mode: TCP_REPAIR_OFF (sends a window probe) or TCP_REPAIR_OFF_NO_WP. Puts SO_REUSEADDR back. */
int tcp_repair_off(int fd, int mode, struct socket_record *record);

/** Selects a queue (TCP_RECV_QUEUE, TCP_SEND_QUEUE) and reads the sequence number of its end. */
int tcp_queue_end(int fd, int queue, uint32_t *sequence);

/** Selects a queue and sets the sequence number at which it starts; closed sockets only. */
int tcp_queue_start(int fd, int queue, uint32_t sequence);

/** Makes it a socket that was never connected. In repair no packet leaves, and the struct file stays the same. */
int tcp_disconnect(int fd);

/**
 * Calls bind(2). Where a disconnect left the port bound (SOCK_BINDPORT_LOCK), it can be neither bound again nor given
 * up: if it is the wanted one, connect() finds the address by itself. EADDRNOTAVAIL: it is another one.
 */
int tcp_bind(int fd, const union socket_address *local);

/** TCP_REPAIR_WINDOW. */
int tcp_window_get(int fd, struct tcp_repair_window *window);
int tcp_window_set(int fd, const struct tcp_repair_window *window);

/** Looks at up to `room` bytes of the queue. *queue is malloc'd, and NULL after a failure. */
int tcp_peek(int fd, uint8_t **queue, uint32_t room, uint32_t *got);

/**
 * Reads all bytes received and not yet taken by the program, and takes none. *queue is malloc'd (NULL where empty).
 * EOPNOTSUPP: there is urgent data among them, whose mark nobody could set again.
 */
int tcp_receive_queue_read(int fd, uint8_t **queue, uint32_t *length);

/** Reads the last `length` bytes written: what is not acknowledged. *queue is malloc'd (NULL where empty). */
int tcp_send_queue_read(int fd, uint8_t **queue, uint32_t length);

/** Appends to the receive queue, however small the receive buffer is; rcv_nxt moves on. */
int tcp_receive_queue_fill(int fd, const uint8_t *queue, uint32_t length);

/**
 * Appends to the send queue as unsent data, however small the send buffer is, without blocking.
 * The socket is out of repair and its peer's window is 0, so nothing is sent.
 */
int tcp_send_queue_fill(int fd, const uint8_t *queue, uint32_t length);
