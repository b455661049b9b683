/* Two hosts, A and B: network namespaces of this process joined by a veth pair. They go with the process.
 * A has address 1, B has addresses 2 and 3: 10.78.0.1-3 and fd78::1-3. A socket belongs to the host
 * that was entered last when it was made. */
#ifndef MIGRUN_TEST_KERNEL_HOSTS_H
#define MIGRUN_TEST_KERNEL_HOSTS_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum host { A, B };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* A connection: a is the end on host A, which connected, b the end on host B, which accepted. */
struct connection {
    int a, b;
};

/* Makes both hosts and enters A. */
void hosts_up(void);
void enter(enum host host);

/* Address `number` (1 to 3) in the family; port in host order. */
union address address_of(int family, int number, uint16_t port);
socklen_t address_size(const union address *address);
uint16_t port_of(const union address *address);
union address local_of(int fd);
union address remote_of(int fd);

/* A listening socket on host B, address 2, any port. */
int listen_on_b(int family);

/* A connection from A to B, its listener closed; both ends blocking, close-on-exec. Enters A. */
struct connection connect_hosts(int family);

/* Waits at most the given time for readable data, an end or an error. Returns 1, or 0 at its end. */
int readable(int fd, int milliseconds);

/* Sends or receives all of size bytes of the pattern which starts at `offset` of an endless stream. */
void send_pattern(int fd, size_t offset, size_t size);
/* Returns how many of them came and fitted before EOF, an error or the time (3 s for each piece). */
size_t receive_pattern(int fd, size_t offset, size_t size);

/* The pattern's bytes. */
void fill_pattern(uint8_t *bytes, size_t offset, size_t size);

#endif
