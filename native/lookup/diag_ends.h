/* The ends of this network namespace's TCP sockets, as the kernel announces them: with the last of a connection, when no
 * descriptor and no unacknowledged byte needs it any more (sock_diag_broadcast_destroy() in net/core/sock_diag.c). */
#pragma once

/** A non-blocking descriptor, readable when TCP sockets have ended, or -errno: EPERM without CAP_NET_ADMIN. */
int diag_ends_open(void);

/** Takes the announcements that have come; which sockets they are of is not said. */
void diag_ends_take(int fd);
