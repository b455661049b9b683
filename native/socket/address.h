/* Socket addresses of both families, as bytes and as text. */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/** The length to hand to bind(2) and connect(2). */
socklen_t socket_address_length(const union socket_address *address);

/** The port, in host byte order; 0 for the empty address. */
uint16_t socket_address_port(const union socket_address *address);

void socket_address_set_port(union socket_address *address, uint16_t port);

/** Writes what inet_ntop(3) prints; the empty string for a family that is not inet. */
void socket_address_text(const union socket_address *address, char text[INET6_ADDRSTRLEN]);

/**
 * Reads an address for a socket of `family`. An AF_INET6 socket takes IPv4 text as its mapped form.
 * 0, or -EINVAL (no such address), or -EAFNOSUPPORT (an IPv6 address for an AF_INET socket).
 */
int socket_address_parse(union socket_address *address, int family, const char *text, uint16_t port);

/** The address as it is on the wire: an IPv4-mapped one becomes the IPv4 one. */
union socket_address socket_address_plain(const union socket_address *address);

/** Whether family, address and port are the same; flow label and scope do not count. */
bool socket_address_equal(const union socket_address *a, const union socket_address *b);
