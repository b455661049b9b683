/*
 * A gate around a pod: nothing that the sockets of its cgroup say leaves this host, and nothing reaches them but what
 * this process sends them with GATE_PASS. Behind it a handshake can be played to a listening socket
 * (accept/accept_queue.h) without the world hearing the answers, or being heard.
 *
 * It is eBPF, attached to the cgroup: a socket belongs to the one that it was made in, a SYN that is being answered and
 * a connection that was not accepted yet to the one of its listener. The links are closed with the gate or with this
 * process, so a gate outlives nobody.
 *
 * All functions return 0 or -errno and need CAP_NET_ADMIN and CAP_BPF (or CAP_SYS_ADMIN).
 */
#pragma once

#include <stdint.h>

/*
 * SO_PRIORITY of a socket of this process whose packets pass the gate, and of one whose packets go nowhere. A mark
 * would do as well, but a mark also chooses routes (ip-rule(8)), and new sockets may take it over (tcp_fwmark_accept).
 */
enum { GATE_PASS = 0x6d676761, GATE_HUSH = 0x6d676768 };

enum { GATE_LINKS = 5 };

struct gate {
    int links[GATE_LINKS]; /* -1: none */
    int window, listener, ports;
};

/**
 * Shuts it. `pod` and `own` are directories: the pod's cgroup v2, and that of this process. After a failure it is open.
 */
int gate_shut(struct gate *gate, const char *pod, const char *own);

/**
 * Sets the receive window that the pod's listeners offer in the handshakes from now on, in full segments; 0 leaves it
 * to the kernel.
 */
int gate_offer(const struct gate *gate, uint32_t segments);

/** Leads a SYN between these ports to this listening socket, whichever of an SO_REUSEPORT group its addresses would
 * choose. */
int gate_steer(struct gate *gate, int listener, uint16_t local_port, uint16_t remote_port);

void gate_open(struct gate *gate);

/**
 * Locks a whole pod against resets (socket/lock.h), for those of its connections that nobody has a descriptor of: no
 * RST reaches its sockets until the link is closed. Returns the link or -errno.
 */
int gate_drop_resets(const char *pod);
