/*
 * How a locked connection, which hears nothing for hours, is not given up by TCP.
 *
 * TCP gives up what is not acknowledged after tcp_retries2 retransmissions (15, a quarter of an hour), and an idle
 * connection after keepalive's probes. TCP_USER_TIMEOUT takes the place of both, also where it is longer
 * (test/kernel/user_timeout_outlasts_retries.c). The one exception are the probes of a closed window, which end after
 * tcp_retries2 of them, whatever it says (test/kernel/zero_window_probes_end.c): so that window is opened for one
 * segment, which nobody receives.
 *
 * All of it is the kernel's from then on, one retransmission in two minutes. Whatever dies, the connection lives as
 * long as its lock, and then as much longer as TCP would have waited without it.
 *
 * All functions return 0 or -errno.
 */
#pragma once

#include "socket/socket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** TCP_USER_TIMEOUT of each, in milliseconds; 0: not set. */
int tcp_user_timeouts(const int *fds, size_t count, uint32_t *timeouts, struct failure *failure);

/** Goes on after a failure and reports the first. */
int tcp_set_user_timeouts(const int *fds, size_t count, const uint32_t *timeouts, struct failure *failure);

/**
 * Has locked sockets outlive `lease_ms` by the time in which TCP would give them up. `own` is what the program
 * has set as TCP_USER_TIMEOUT.
 */
int tcp_extend_user_timeouts(const int *fds, size_t count, uint32_t lease_ms, const uint32_t *own,
                             struct failure *failure);

/** Whether the other end has closed its window. */
int tcp_is_window_shut(int fd, bool *shut);

/**
 * Opens the windows of locked sockets that are shut. No thread that uses one may run: they are in TCP_REPAIR for a
 * moment. No packet leaves.
 */
int tcp_open_windows(const int *fds, size_t count, struct failure *failure);
