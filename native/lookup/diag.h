/* TCP and UDP sockets of this network namespace, asked for with NETLINK_SOCK_DIAG (sock_diag(7)).
 *
 * All return 0 or -errno. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "socket/address.h"

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

/* Both of one family; an AF_INET6 socket with mapped addresses is found by these (inet_diag_find_one_icsk). */
struct diag_ends {
    union socket_address local, remote;
};

/** The inodes of the sockets of these connections, 0 where there is no such connection, or no descriptor belongs to it:
 * look-ups in the kernel's table, not a dump. */
int diag_connection_inodes(const struct diag_ends *ends, size_t count, uint32_t *inodes);

/* What is known of a connection that there may be no descriptor of. */
struct diag_facts {
    /* 0: no descriptor belongs to it. */
    uint32_t inode;
    /* TCP_* of netinet/tcp.h, TCP_SYN_RECV and TCP_TIME_WAIT too; 0: there is no such connection. */
    uint8_t state;
    /* As tcp_info has them; 0 in TCP_SYN_RECV and TCP_TIME_WAIT. */
    uint8_t options, snd_wscale, rcv_wscale;
};

int diag_connection_facts(const struct diag_ends *ends, struct diag_facts *facts);

/** Every connection of both families from ESTABLISHED on until both FINs are acknowledged; those without a
 * descriptor as well. *list is the caller's to free(3). */
int diag_tcp_connections(struct diag_connection **list, size_t *count);

/** Every socket that belongs to a cgroup v2 (its id is the inode number of its folder), in these states (a bit for each
 * TCP_*), those without a descriptor as well. A socket belongs where it was made, or, accepted, where its listener does.
 * *list as above. */
int diag_tcp_of_cgroup(uint64_t cgroup, uint32_t states, struct diag_connection **list, size_t *count);

/** Every UDP socket that is bound; one that is connected is in TCP_ESTABLISHED. *list as above. */
int diag_udp_sockets(struct diag_connection **list, size_t *count);
