/* Descriptors that a supervisor hands to its program. All are close-on-exec; child_process dups what it passes on.
 *
 * All return 0 (or the descriptor) or -errno; what they fill in belongs to the caller. */
#pragma once

#include <stdint.h>

/** ends[0] to read from, ends[1] to write to. */
int descriptors_pipe(int ends[2]);

/** Two connected ends that keep message boundaries (AF_UNIX, SOCK_SEQPACKET). */
int descriptors_seqpacket(int ends[2]);

/** An empty anonymous file; `name` shows in /proc only. */
int descriptors_memfd(const char *name);

/** A pseudo terminal of that size. Neither end becomes anybody's controlling terminal by being opened here. */
int descriptors_pty(uint16_t rows, uint16_t columns, int *master, int *slave);

/** Either end; the foreground process group gets SIGWINCH where the size is a new one (tty_ioctl(4)). */
int descriptors_set_window_size(int fd, uint16_t rows, uint16_t columns);
