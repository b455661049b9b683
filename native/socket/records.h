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
    uint64_t cookie; /* first: the table is in its order */
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

/* What is found stays the table's. Where nothing else is said, 0 or -errno. */

/** Finds the record of a socket. *record: NULL where it has none. */
int socket_record_find(int fd, struct socket_record **record);

/** Finds it, and makes it where there is none. */
int socket_record_make(int fd, struct socket_record **record);

/** Forgets a socket and frees its record; NULL: nothing to do. */
void socket_record_drop(struct socket_record *record);

/** Does the same for the socket of this descriptor, if it has a record. */
void socket_record_forget(int fd);
