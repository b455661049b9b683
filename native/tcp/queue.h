/* The bytes of a TCP socket's two queues, read and filled in TCP_REPAIR (tcp_state.h says when). 0 or -errno. */
#pragma once

#include <stdint.h>

/**
 * All bytes received and not yet read, without taking them. *queue is malloc'd (NULL where empty).
 * EOPNOTSUPP: there is urgent data among them, whose mark nobody could set again.
 */
int tcp_receive_queue_read(int fd, uint8_t **queue, uint32_t *length);

/** The last `length` bytes written: what is not acknowledged. *queue is malloc'd (NULL where empty). */
int tcp_send_queue_read(int fd, uint8_t **queue, uint32_t length);

/** Appends to the receive queue, however small the receive buffer is; rcv_nxt moves on. */
int tcp_receive_queue_fill(int fd, const uint8_t *queue, uint32_t length);

/**
 * Appends to the send queue as unsent data, however small the send buffer is, without blocking.
 * The socket is out of repair and its peer's window is 0, so nothing is sent.
 */
int tcp_send_queue_fill(int fd, const uint8_t *queue, uint32_t length);
