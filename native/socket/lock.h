/*
 * Locking a socket: nothing that arrives reaches it any more.
 *
 * A lock is a socket filter on the socket itself, so the kernel drops every segment before TCP sees
 * it: no ACK and no RST comes through, and no rule outlives the socket. There are four:
 *
 *   lease    eBPF; drops until a deadline and accepts from then on. Whatever dies, it ends.
 *   plain    classic BPF; drops for good. CRIU can dump a socket that carries it (it cannot dump
 *            one with an eBPF filter), and CRIU restores it with the socket.
 *   resets   classic BPF; drops RST segments only, for a revived TCP socket: data of a peer that
 *            followed faster than the program runs again is received, while the reset that a peer
 *            answers with that does not follow yet is not. The program's own filter goes on deciding on the rest.
 *   local    classic BPF; drops what does not come over the loopback interface, for a UDP socket whose queue is being
 *            filled through that.
 *
 * A program's own classic filter is behind the instructions of a classic lock (never reached behind
 * a plain or a local one), so it moves with the socket through CRIU's images and a new process still finds it.
 * Under a lease it is only in this process's memory.
 *
 * The process must have CAP_NET_ADMIN and CAP_BPF (or CAP_SYS_ADMIN).
 */
#pragma once

#include "socket/records.h"
#include "socket/socket.h"

#include <stdbool.h>
#include <stdint.h>

/**
 * Locks each socket. lease_ms 0: plain. Locking a locked socket renews, and changes the kind.
 * On failure, sockets that were not locked before are unlocked again.
 * 0 or -errno: EBUSY where the program has an eBPF filter of its own, which cannot be read back;
 * EPERM where it has set SO_LOCK_FILTER.
 */
int socket_lock(const int *fds, size_t count, uint32_t lease_ms, struct failure *failure);

/**
 * Detaches each lock and puts the program's own filter back. A socket without a lock is left alone.
 * Goes on after a failure and reports the first. 0 or -errno.
 */
int socket_unlock(const int *fds, size_t count, struct failure *failure);

/**
 * The record of a socket (owned by the table), made where there is none, with the program's own
 * filter read from under whatever lock is attached. 0 or -errno: EBUSY as above.
 */
int socket_lock_record(int fd, struct socket_record **record);

/** Makes the socket's lock the `resets` one. 0 or -errno. */
int socket_lock_resets(int fd, struct socket_record *record);

/** Makes the socket's lock the `local` one. 0 or -errno. */
int socket_lock_local(int fd, struct socket_record *record);

/** Does for one socket what socket_unlock does, and leaves its record. 0 or -errno. */
int socket_unlock_one(int fd, struct socket_record *record);

/** Whether this process has locked it, and the lock's lease has not ended. */
bool socket_is_locked(const struct socket_record *record);

/** Whether the socket has an eBPF filter that is no lock: the program's own, which nobody can read. */
bool socket_has_ebpf_filter(int fd);
