#include "tcp/repair.h"

#include "socket/socket.h"

#include <errno.h>
#include <limits.h>
#include <linux/sockios.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define FORCED_REUSE 2 /* SK_FORCE_REUSE of include/net/sock.h: what TCP_REPAIR makes of SO_REUSEADDR */

int tcp_repair_on(int fd, struct socket_record *record) {
    int reuse, result = socket_get(fd, SOL_SOCKET, SO_REUSEADDR, &reuse);

    if (result < 0) return result;
    result = socket_set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON);
    if (result < 0) return result;
    if (reuse != FORCED_REUSE) record->reuse_address = reuse;
    record->in_repair = true;
    return 0;
}

int tcp_repair_off(int fd, int mode, struct socket_record *record) {
    int result = socket_set(fd, IPPROTO_TCP, TCP_REPAIR, mode);

    if (result < 0) return result;
    record->in_repair = false;
    return record->reuse_address ? socket_set(fd, SOL_SOCKET, SO_REUSEADDR, record->reuse_address) : 0;
}

int tcp_queue_end(int fd, int queue, uint32_t *sequence) {
    int value, result = socket_set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);

    if (result == 0) result = socket_get(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &value);
    if (result == 0) *sequence = (uint32_t)value;
    return result;
}

int tcp_queue_start(int fd, int queue, uint32_t sequence) {
    int result = socket_set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);

    return result < 0 ? result : socket_set(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, (int)sequence);
}

int tcp_window_get(int fd, struct tcp_repair_window *window) {
    return socket_get_bytes(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, window, sizeof *window);
}

int tcp_window_set(int fd, const struct tcp_repair_window *window) {
    return setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, window, sizeof *window) ? -errno : 0;
}

int tcp_disconnect(int fd) {
    const struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    int ignored;

    if (connect(fd, &unspecified, sizeof unspecified)) return -errno;
    return socket_get(fd, SOL_SOCKET, SO_ERROR, &ignored); /* reading clears it: ECONNABORTED */
}

int tcp_bind(int fd, const union socket_address *local) {
    union socket_address bound;
    int result;

    if (bind(fd, &local->any, socket_address_length(local)) == 0) return 0;
    if (errno != EINVAL) return -errno;
    result = socket_local(fd, &bound);
    if (result < 0) return result;
    return socket_address_port(&bound) == socket_address_port(local) ? 0 : -EADDRNOTAVAIL;
}

/* The largest segment the kernel builds (GSO_MAX_SIZE of include/linux/netdevice.h). */
#define SEGMENT_MAX (8u * 65536u)
/* Kernel memory for a queue in the worst case: segments of some hundred bytes, one buffer each. */
#define MEMORY_PER_BYTE 4u
#define NO_LIMIT (-1) /* TCP_NOTSENT_LOWAT is unsigned */

int tcp_peek(int fd, uint8_t **queue, uint32_t room, uint32_t *got) {
    ssize_t result;

    *queue = malloc(room);
    if (!*queue) return -ENOMEM;
    result = recv(fd, *queue, room, MSG_PEEK | MSG_DONTWAIT);
    if (result >= 0) {
        *got = (uint32_t)result;
        return 0;
    }
    result = -errno;
    free(*queue);
    *queue = NULL;
    return (int)result;
}

/*
 * SIOCINQ stops at urgent data unless SO_OOBINLINE is set (tcp_inq in include/net/tcp.h): where the
 * two answers differ there is a mark in the queue, whether its byte was read or not.
 */
static int receive_length(int fd, uint32_t *length) {
    int plain, whole, urgent_inline, result, put_back;

    if (ioctl(fd, SIOCINQ, &plain)) return -errno;
    *length = (uint32_t)plain;
    result = socket_get(fd, SOL_SOCKET, SO_OOBINLINE, &urgent_inline);
    if (result < 0 || urgent_inline) return result;
    result = socket_set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
    if (result < 0) return result;
    if (ioctl(fd, SIOCINQ, &whole)) result = -errno;
    put_back = socket_set(fd, SOL_SOCKET, SO_OOBINLINE, 0);
    if (result < 0 || put_back < 0) return result < 0 ? result : put_back;
    return whole == plain ? 0 : -EOPNOTSUPP;
}

int tcp_receive_queue_read(int fd, uint8_t **queue, uint32_t *length) {
    int offset = -1, put_back = 0, result;
    uint32_t got = 0;

    *queue = NULL;
    result = receive_length(fd, length);
    if (result < 0 || *length == 0) return result;
    result = socket_get(fd, SOL_SOCKET, SO_PEEK_OFF, &offset);
    if (result == -EOPNOTSUPP) result = 0; /* TCP has it since Linux 6.9 */
    if (result == 0 && offset >= 0) result = socket_set(fd, SOL_SOCKET, SO_PEEK_OFF, -1);
    if (result < 0) return result;
    result = tcp_peek(fd, queue, *length, &got);
    if (offset >= 0) put_back = socket_set(fd, SOL_SOCKET, SO_PEEK_OFF, offset);
    if (result == 0) result = got == *length ? put_back : -EIO;
    if (result < 0) {
        free(*queue);
        *queue = NULL;
    }
    return result;
}

/*
 * The kernel copies the whole send queue or fails with EFAULT (tcp_peek_sndq in net/ipv4/tcp.c). It
 * holds more than what is not acknowledged where an acknowledgement ended inside a segment.
 */
int tcp_send_queue_read(int fd, uint8_t **queue, uint32_t length) {
    uint32_t got = 0;
    int result;

    *queue = NULL;
    if (length == 0) return 0;
    result = tcp_peek(fd, queue, length, &got);
    if (result == -EFAULT) result = tcp_peek(fd, queue, length + SEGMENT_MAX, &got);
    if (result < 0) return result;
    if (got < length) {
        free(*queue);
        *queue = NULL;
        return -EIO;
    }
    memmove(*queue, *queue + (got - length), length);
    return 0;
}

/* A socket buffer that was made large enough for a while. */
struct widened {
    bool done;
    int force, size, locks;
};

/* `option` is SO_RCVBUF or SO_SNDBUF, `force` its twin that knows no limit (SO_RCVBUFFORCE, SO_SNDBUFFORCE). */
static int widen(int fd, int option, int force, uint32_t length, struct widened *widened) {
    uint64_t need = (uint64_t)length * MEMORY_PER_BYTE;
    int result = socket_get(fd, SOL_SOCKET, option, &widened->size);

    *widened = (struct widened){.force = force, .size = widened->size};
    if (result < 0 || need <= (uint64_t)widened->size) return result;
    result = socket_get(fd, SOL_SOCKET, SO_BUF_LOCK, &widened->locks);
    if (result < 0) return result;
    widened->done = true;
    /* The kernel doubles the value. */
    return socket_set(fd, SOL_SOCKET, force, need > INT_MAX ? INT_MAX / 2 : (int)(need / 2 + 1));
}

/* Gives the buffer its size back, and leaves the kernel free to tune it where it was. */
static int narrow(int fd, const struct widened *widened) {
    return widened->done ? socket_set_buffer(fd, widened->force, widened->size, widened->locks) : 0;
}

/* The kernel needs one buffer for a chunk; where memory is scattered a smaller one may still fit. */
static int fill(int fd, const uint8_t *queue, uint32_t length) {
    uint32_t chunk = length, done = 0;

    while (done < length) {
        uint32_t left = length - done;
        ssize_t sent = send(fd, queue + done, left < chunk ? left : chunk, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (sent > 0) {
            done += (uint32_t)sent;
        } else if ((errno == ENOBUFS || errno == ENOMEM) && chunk > 1) {
            chunk /= 2;
        } else {
            return errno == EAGAIN ? -ENOBUFS : -errno;
        }
    }
    return 0;
}

int tcp_receive_queue_fill(int fd, const uint8_t *queue, uint32_t length) {
    struct widened widened;
    int result, narrowed;

    if (length == 0) return 0;
    result = widen(fd, SO_RCVBUF, SO_RCVBUFFORCE, length, &widened);
    if (result == 0) result = socket_set(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE);
    if (result == 0) result = fill(fd, queue, length);
    narrowed = narrow(fd, &widened);
    return result < 0 ? result : narrowed;
}

int tcp_send_queue_fill(int fd, const uint8_t *queue, uint32_t length) {
    struct widened widened;
    int not_sent_limit, put_back, narrowed, result;

    if (length == 0) return 0;
    result = socket_get(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent_limit);
    if (result == 0) result = widen(fd, SO_SNDBUF, SO_SNDBUFFORCE, length, &widened);
    if (result < 0) return result;
    result = socket_set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, NO_LIMIT);
    if (result == 0) result = fill(fd, queue, length);
    put_back = socket_set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, not_sent_limit);
    narrowed = narrow(fd, &widened);
    if (result < 0) return result;
    return put_back < 0 ? put_back : narrowed;
}
