#include "tcp/repair.h"

#include <errno.h>

#define FORCED_REUSE 2 /* SK_FORCE_REUSE of include/net/sock.h: what TCP_REPAIR makes of SO_REUSEADDR */

int socket_get(int fd, int level, int option, int *value) {
    socklen_t length = sizeof *value;

    return getsockopt(fd, level, option, value, &length) ? -errno : 0;
}

int socket_set(int fd, int level, int option, int value) {
    return setsockopt(fd, level, option, &value, sizeof value) ? -errno : 0;
}

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
    socklen_t length = sizeof *window;

    return getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, window, &length) ? -errno : 0;
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
