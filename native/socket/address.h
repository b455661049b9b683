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

/** Length to hand to bind(2) and connect(2). */
socklen_t socket_address_length(const union socket_address *address);

/** Port in host byte order; 0 for the empty address. */
uint16_t socket_address_port(const union socket_address *address);

/** Writes what inet_ntop(3) prints; the empty string for a family that is not inet. */
void socket_address_text(const union socket_address *address, char text[INET6_ADDRSTRLEN]);

/**
 * Reads an address for a socket of `family`. An AF_INET6 socket takes IPv4 text as its mapped form.
 * 0, or -EINVAL (no such address), or -EAFNOSUPPORT (an IPv6 address for an AF_INET socket).
 */
int socket_address_parse(union socket_address *address, int family, const char *text, uint16_t port);

/** As it is on the wire: an IPv4-mapped address as the IPv4 one. */
union socket_address socket_address_plain(const union socket_address *address);

/** Same family, address and port; flow label and scope do not count. */
bool socket_address_equal(const union socket_address *a, const union socket_address *b);

/** getsockname(2). 0 or -errno. */
int socket_local(int fd, union socket_address *address);

/** getpeername(2); a socket that is not connected has the zero address of its family. 0 or -errno. */
int socket_remote(int fd, int family, union socket_address *address);

/**
 * sin6_flowinfo of a connection, flow label and traffic class, also of one that is being made or was closed. The kernel
 * tells it, and connect(2) takes it, where IPV6_FLOWINFO_SEND is set (inet6_getname() in net/ipv6/af_inet6.c). Network
 * byte order; 0: none.
 */
uint32_t socket_flow(int fd);

/** Also of a TCP socket that is being connected, or was (inet_getname in net/ipv4/af_inet.c). 0 or -errno. */
int socket_former_remote(int fd, int family, union socket_address *address);
