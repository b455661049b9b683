/* Locking, saving and reviving a TCP connection, as plainly as the statements need it: small queues, and
 * no unacknowledged FIN. These programs state what native/ builds on, so they use nothing of it. */
#ifndef MIGRUN_TEST_KERNEL_TCP_H
#define MIGRUN_TEST_KERNEL_TCP_H

#include "hosts.h"

#include <linux/tcp.h>
#include <stdbool.h>

enum { QUEUE_MAX = 65536 };

struct saved {
    union address local, remote;
    struct tcp_info info;
    struct tcp_repair_window window;
    uint32_t send_start, receive_start; /* sequence numbers of the queues' first bytes */
    int timestamp, mss_clamp;
    int connect_mss;            /* TCP_MAXSEG for the connect, 0: none */
    int sent, unsent, received; /* bytes in the queues below */
    uint8_t send_queue[QUEUE_MAX], receive_queue[QUEUE_MAX];
};

/* A filter on the socket that drops every segment before TCP sees it, and its end. */
void lock(int fd);
void unlock(int fd);

/* A filter that does so until CLOCK_MONOTONIC is there, in ns; and that clock. */
void lock_until(int fd, uint64_t deadline_ns);
uint64_t now_ns(void);

/* Sets TCP_REPAIR to on (TCP_REPAIR_ON, TCP_REPAIR_OFF, TCP_REPAIR_OFF_NO_WP). */
void repair(int fd, int on);

/* What TCP_QUEUE_SEQ says of a queue (TCP_SEND_QUEUE, TCP_RECV_QUEUE) of a socket in repair mode. */
uint32_t queue_seq(int fd, int queue);
struct tcp_info tcp_info_of(int fd);

/* Returns how many bytes are in a socket's queues: SIOCINQ, SIOCOUTQ, SIOCOUTQNSD. */
int unread(int fd);
int unacknowledged(int fd);
int unsent(int fd);

/* Waits until all that was sent is acknowledged: at once, or a delayed ACK later. The time limit ends it. */
void wait_acknowledged(int fd);

int get_option(int fd, int level, int option);
void set_option(int fd, int level, int option, int value);

/* Reads a locked socket's whole state and leaves it in repair mode. */
void save(int fd, struct saved *saved);

/* Gives the socket, whatever it was, the saved state; unlocks it and leaves repair mode. Tells the
 * other end nothing but a window probe. */
void revive(int fd, const struct saved *saved);

/* Its three parts. After the first two the socket is in repair mode still, and locked if it was. */
void revive_empty(int fd, const struct saved *saved);
void revive_queues(int fd, const struct saved *saved);
void revive_release(int fd, const struct saved *saved);

#endif
