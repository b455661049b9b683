/*
 * Sockets of this network namespace, asked for with NETLINK_SOCK_DIAG (sock_diag(7)): TCP and UDP ones; and for other
 * families (unix/unix_sockets.c) the ways to ask, which are the same for all.
 *
 * All return 0 or -errno where nothing else is said.
 */
#pragma once

#include "socket/address.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct diag_connection {
    union socket_address local, remote;
    /* 0: no descriptor belongs to it (it waits for accept(2), or its descriptors are closed). */
    uint32_t inode;
    /* TCP_* of netinet/tcp.h. */
    uint8_t state;
    /* Bytes, an unacknowledged FIN counted; of a listening socket, how many connections may wait. */
    uint32_t unacknowledged;
    /* TCP MD5 keys; seen with CAP_NET_ADMIN, and by diag_tcp_of_cgroup, only. */
    bool has_keys;
};

/* Both are of one family; an AF_INET6 socket with mapped addresses is found by these (inet_diag_find_one_icsk). */
struct diag_ends {
    union socket_address local, remote;
};

/** The inodes of the sockets of these connections; 0 where there is no such connection, or no descriptor belongs to it.
 * Each is a look-up in the kernel's table, not a dump. */
int diag_connection_inodes(const struct diag_ends *ends, size_t count, uint32_t *inodes);

/* What is known of a connection that there may be no descriptor of. */
struct diag_facts {
    /* 0: no descriptor belongs to it. */
    uint32_t inode;
    /* TCP_* of netinet/tcp.h, TCP_SYN_RECV and TCP_TIME_WAIT too; 0: there is no such connection. */
    uint8_t state;
    /* What tcp_info(7) has; 0 in TCP_SYN_RECV and TCP_TIME_WAIT. */
    uint8_t options, snd_wscale, rcv_wscale;
};

int diag_connection_facts(const struct diag_ends *ends, struct diag_facts *facts);

/** Finds every connection of both families, from ESTABLISHED on until both FINs are acknowledged, those without a
 * descriptor as well. *list is the caller's to free(3). */
int diag_tcp_connections(struct diag_connection **list, size_t *count);

/**
 * Finds every TCP socket that belongs to a cgroup v2 (its id is the inode number of its folder), in these states (a bit
 * for each TCP_*), those without a descriptor as well. A socket belongs where it was made, or, accepted, where its
 * listener does. *list as above.
 */
int diag_tcp_of_cgroup(uint64_t cgroup, uint32_t states, struct diag_connection **list, size_t *count);

/** Finds every UDP socket that is bound; one that is connected is in TCP_ESTABLISHED. *list as above. */
int diag_udp_sockets(struct diag_connection **list, size_t *count);

/** A non-blocking descriptor, readable when TCP sockets have ended, or -errno: EPERM without CAP_NET_ADMIN. The kernel
 * announces the end of a connection when no descriptor and no unacknowledged byte needs it any more
 * (sock_diag_broadcast_destroy() in net/core/sock_diag.c). */
int diag_ends_open(void);

/** Takes the announcements that have come; it does not say of which sockets. */
void diag_ends_take(int fd);

/* What a look-up of another family needs. */

/** Asks for a dump, and hands every message of the answer on; what `take` gives below 0 ends it. */
int diag_dump(const void *request, size_t size, int (*take)(const struct nlmsghdr *message, void *context),
              void *context);

/** An answer's body; NULL where it is none, or shorter than `size`. */
const void *diag_body(const struct nlmsghdr *message, size_t size);

/** An attribute behind a body of `body` bytes, with its length; NULL: there is none. */
const void *diag_attribute(const struct nlmsghdr *message, size_t body, unsigned short type, size_t *length);
