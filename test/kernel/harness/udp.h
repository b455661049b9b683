/* UDP sockets and datagrams made by hand. */
#ifndef MIGRUN_TEST_KERNEL_UDP_H
#define MIGRUN_TEST_KERNEL_UDP_H

#include "hosts.h"

#include <stdbool.h>

/* A UDP socket of the host that is entered, bound to that address. */
int udp_bound(const union address *local);

/* connect(2); with NULL, AF_UNSPEC. */
void udp_connect(int fd, const union address *remote);

/* Sends a datagram from an ordinary socket. */
void udp_send(int fd, const union address *to, const char *text);

/* Sends a datagram from the host that is entered through a raw socket that makes its own IP header: any source. The UDP header
 * claims `excess` bytes more than there are. */
void udp_inject(const union address *from, const union address *to, const void *bytes, size_t size, uint16_t excess);

/* Waits at most the given time for a datagram, takes it, and returns whether it came, has this text and this source. */
bool udp_expect(int fd, const union address *from, const char *text, int milliseconds);

bool same_address(const union address *one, const union address *other);

#endif
