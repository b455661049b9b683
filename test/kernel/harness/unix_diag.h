/* What sock_diag tells of one UNIX socket. */
#ifndef MIGRUN_TEST_KERNEL_UNIX_DIAG_H
#define MIGRUN_TEST_KERNEL_UNIX_DIAG_H

#include <linux/types.h>
#include <stdbool.h>

enum { MOST_WAITING = 16 };

struct unix_told {
    int state;
    bool has_peer;
    __u32 peer;                /* inode */
    __u32 receives, sends;     /* udiag_rqueue, udiag_wqueue */
    int waiting;               /* how many connections wait to be accepted */
    __u32 waits[MOST_WAITING]; /* inodes of those who made them */
};

/* Ends the body where it is not listed. */
struct unix_told unix_told_of(int fd);

__u32 inode_of(int fd);

#endif
