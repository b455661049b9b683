/*
 * A TCP connection taken from one socket and given to another, with nothing lost and no packet that says so.
 *
 * Together with socket/lock.h and sequences.h this is a library of its own: it knows sockets, the kernel and nothing of
 * migrun.
 *
 * Order of calls
 *
 *   at the source of a move   socket_lock, tcp_save, then tcp_close_silently (it moved)
 *                             or tcp_unsave, socket_unlock (it did not)
 *   at its target             tcp_revive on closed sockets, as CRIU makes them, tcp_release
 *   at a peer                 socket_lock, tcp_save, tcp_revive on the same descriptor, tcp_release
 *   of a connect in progress  tcp_connect_again alone, at the target
 *
 * Between tcp_save and tcp_release a socket is in TCP_REPAIR: closing it then tells the other end nothing. A socket
 * that was revived and is not wanted is closed silently; one that was not saved yet is only unlocked.
 *
 * Who owns what
 *
 *   Descriptors are the caller's, before and after, but for tcp_close_silently, which closes them. A struct tcp_saved
 *   is the caller's; tcp_save puts malloc'd queues into it, and tcp_saved_clear frees them. tcp_revive only reads it:
 *   the queues may be anybody's memory, and are not needed once it returns.
 *
 * What must hold
 *
 *   No thread that uses the socket runs from the save to the release: what a reader takes or a writer adds in between
 *   is lost, and a blocked call would see EPIPE.
 *   Both ends of a connection are revived, and each is told how far the other has received (`peer_has`).
 *   All calls come from one thread, of a process with CAP_NET_ADMIN; locking needs CAP_BPF too.
 *
 * Sequence numbers are unsigned 32 bit and wrap. A FIN is in no number and in no queue: the side that sent one is
 * revived without it and shuts down again at its release, so that the FIN really crosses the new path (fin_sent,
 * fin_received).
 *
 * Not carried over, because the kernel lets nobody read or set it: round trip times and congestion window, ECN, the
 * mark of urgent data that was sent and not yet received (its byte is carried), TCP MD5 keys. Refused with EOPNOTSUPP:
 * urgent data that was received and not yet passed, TLS and other upper layer protocols in the kernel, MPTCP.
 *
 * A socket whose port the program chose by bind(2), or that was revived before, keeps that port and address: the kernel
 * has no way to unbind a socket object. A peer keeps them anyway.
 *
 * All functions return 0 or -errno.
 */
#pragma once

#include "socket/socket.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tcp_saved {
    int family;
    int state; /* TCP_ESTABLISHED ... at the save */
    union socket_address local, remote;
    uint32_t snd_una; /* first byte of send_queue */
    uint32_t rcv_nxt; /* next byte expected, a received FIN not counted */
    bool fin_sent, fin_received;
    /* Owned by the struct: tcp_saved_clear frees them. NULL where the length is 0. */
    uint8_t *send_queue;    /* from snd_una on: not acknowledged, then not yet sent */
    uint8_t *receive_queue; /* acknowledged, not yet read; ends at rcv_nxt */
    uint32_t send_length, receive_length;
    uint8_t options; /* TCPI_OPT_* */
    uint8_t snd_wscale, rcv_wscale;
    uint32_t mss_clamp;
    uint32_t timestamp;              /* TCP_TIMESTAMP: this side's timestamp clock */
    struct tcp_repair_window window; /* with the FIN taken back; the right edge is the kernel's */
    int reuse_address;               /* SO_REUSEADDR; -1: not known. CRIU cannot see it under repair */
};

/**
 * Reads the state of locked sockets (socket/lock.h) into `saved`, which the caller clears after success.
 * Leaves them in TCP_REPAIR. On failure no socket of the batch is left in it, and `saved` is empty.
 * EINVAL: not locked by this process; ETIME: its lease ended; EOPNOTSUPP: see above, or a state
 * other than ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT, CLOSING, LAST_ACK.
 */
int tcp_save(const int *fds, size_t count, struct tcp_saved *saved, struct failure *failure);

/** Frees the queues. */
void tcp_saved_clear(struct tcp_saved *saved);

/**
 * Takes saved sockets out of TCP_REPAIR without a packet; they stay locked. Goes on after a failure
 * and reports the first.
 */
int tcp_unsave(const int *fds, size_t count, struct failure *failure);

/**
 * Gives a socket object the saved state between `local` and `remote`. The struct file stays the
 * same, so epoll sets and duplicates of the descriptor do too. The socket may be a saved one or a
 * closed one. `peer_has` is the other end's rcv_nxt: bytes before it are dropped from the send queue.
 *
 * Sends nothing. What is left of the send queue is queued in the kernel as unsent behind a window of
 * zero, so nothing is lost with this process. The socket is in TCP_REPAIR, locked against resets
 * only: data of a peer that was released earlier is received and acknowledged, and window updates
 * of it let unsent data go. Left alone for three seconds it sends a window probe.
 *
 * EINVAL: peer_has lies outside the send queue. After any later failure the socket is closed; it
 * can be revived again, also with other addresses. EADDRNOTAVAIL: the port or address is fixed.
 */
int tcp_revive(int fd, const struct tcp_saved *saved, const union socket_address *local,
               const union socket_address *remote, uint32_t peer_has, struct failure *failure);

/**
 * Lets revived sockets go: unlock, leave TCP_REPAIR (with a window probe), send what is unsent, shut
 * down again where a FIN was taken back. Goes on after a failure and reports the first.
 * A socket that another process revived is released too, except for its FIN.
 */
int tcp_release(const int *fds, size_t count, struct failure *failure);

/** Closes the descriptors; where it was the last reference of a TCP socket, without a FIN or RST. */
void tcp_close_silently(const int *fds, size_t count);

/**
 * A connect that was in progress is started again from another host, on a closed socket as CRIU makes it. Nothing is
 * carried but the addresses: what the far end's kernel may have of the first attempt is a SYN that it answers, and
 * nobody there has seen a connection. A blocked connect(2) that is restarted, and whoever waits for the socket to
 * become writable, find a connect in progress and how it ends, as ever.
 *
 * Sends a SYN from `local`, a port of it also where somebody else has it too. A socket that is connecting already, or
 * is through with it, is left alone. *step: the call that failed. What connect(2) says is returned; the program is told
 * the same where it asks again.
 */
int tcp_connect_again(int fd, const union socket_address *local, const union socket_address *remote, const char **step);
