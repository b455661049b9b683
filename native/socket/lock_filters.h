/* The filters of lock.h: making, attaching and recognising them. */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

enum lock_kind { LOCK_NONE, LOCK_PLAIN, LOCK_RESETS, LOCK_LOCAL, LOCK_LEASE };

/** A classic filter; `code` belongs to whoever holds this. */
struct own_filter {
    struct sock_filter *code;
    uint16_t length;
};

/** Loads a lease program for the sockets of these cookies. A descriptor that the caller closes, or -errno. */
int lock_lease_load(uint64_t lease_end, const uint64_t *cookies, size_t count);

/** Attaches a loaded lease program. 0 or -errno. */
int lock_lease_attach(int fd, int program);

/** Attaches a classic lock (LOCK_PLAIN, LOCK_RESETS or LOCK_LOCAL) with the program's own filter behind it. 0 or -errno. */
int lock_classic_attach(int fd, enum lock_kind kind, const struct own_filter *own);

/** Takes any filter off the socket and attaches the program's own, if there is one. 0 or -errno. */
int lock_detach(int fd, const struct own_filter *own);

/**
 * What is attached: which lock, and the program's own filter (`own`, which the caller frees) as far
 * as it can be read. 0 or -errno: EBUSY for an eBPF filter that is not a lease.
 */
int lock_identify(int fd, enum lock_kind *kind, struct own_filter *own);
