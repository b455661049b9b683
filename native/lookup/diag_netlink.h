/* NETLINK_SOCK_DIAG as sock_diag(7) has it, for every family: the socket, its answers, their attributes.
 *
 * All return 0 or -errno where nothing else is said. */
#pragma once

#include <linux/netlink.h>
#include <stddef.h>

/* More than a dump ever puts into one message (netlink_dump allocates at most 32 KiB). */
enum { DIAG_REPLY_SIZE = 64 * 1024 };

/** A descriptor, or -errno. */
int diag_open(void);

/** Sends one request, with its header. */
int diag_send(int fd, const void *request, size_t size);

/** One datagram of the kernel's (not of another process, which may write to any netlink socket): its size. */
int diag_receive(int fd, void *reply, size_t size);

/** What an NLMSG_ERROR says. */
int diag_error(const struct nlmsghdr *message);

/** The answer's body; NULL where it is none, or shorter than `size`. */
const void *diag_body(const struct nlmsghdr *message, size_t size);

/** An attribute behind a body of `body` bytes, with its length; NULL: there is none. */
const void *diag_attribute(const struct nlmsghdr *message, size_t body, unsigned short type, size_t *length);

/** Takes the answers to a dump that was asked for, to its end. What `take` gives below 0 ends it. */
int diag_take_all(int fd, int (*take)(const struct nlmsghdr *message, void *context), void *context);
