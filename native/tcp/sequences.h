/*
 * The sequence numbers of a live connection, read without touching its socket or knowing its process.
 *
 * An eBPF program looks the connection up (bpf_sk_lookup_tcp) and reads its struct tcp_sock. It is
 * attached to nothing: BPF_PROG_TEST_RUN runs it in the caller's own context, over a packet that is
 * question and answer. So it sees the network namespace that the calling thread is in.
 *
 * The process needs CAP_BPF and CAP_NET_ADMIN (or CAP_SYS_ADMIN).
 */
#pragma once

#include "socket/address.h"

#include <stdint.h>

struct tcp_sequences {
    uint32_t snd_nxt, snd_una, rcv_nxt;
    uint32_t state; /* TCP_ESTABLISHED ... */
};

/**
 * Finds an IPv4-mapped connection as the IPv4 one that it is, and one that is bound to a device too. Returns
 * 0, -ENOENT (no such connection, or it is in TIME_WAIT or listening) or another -errno.
 */
int tcp_sequences(const union socket_address *local, const union socket_address *remote,
                  struct tcp_sequences *sequences);
