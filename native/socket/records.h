/*
 * What this process remembers of sockets between two calls, keyed by SO_COOKIE.
 *
 * A record exists from the lock of a socket until its unlock, release or silent close. A socket that ends in between
 * (its process died) leaves its record behind: about a hundred bytes.
 * Not thread safe: all calls come from one thread.
 */
#pragma once

#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>

/* A program's own classic filter; no code: none. */
struct own_filter {
    struct sock_filter *code;
    uint16_t length;
};

struct socket_record {
    uint64_t cookie;
    /* Lock (socket/lock.h) */
    bool locked;
    uint64_t lease_end;    /* CLOCK_MONOTONIC nanoseconds; 0: the lock has no lease */
    struct own_filter own; /* what the lock displaced; the code is the record's */
    /* Repair (tcp/tcp.h) */
    bool in_repair;
    int reuse_address; /* the program's SO_REUSEADDR: TCP_REPAIR overwrites it */
    /* Revived, and not yet released */
    bool is_revived;
    bool fin_sent;
    struct tcp_repair_window window;
};

/** The record of this socket, or NULL. Owned by the table. */
struct socket_record *socket_record_find(uint64_t cookie);

/** The record of this socket, made where there is none; NULL without memory. Owned by the table. */
struct socket_record *socket_record_make(uint64_t cookie);

/** Forgets a socket and frees its record. */
void socket_record_drop(uint64_t cookie);
