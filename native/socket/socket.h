/* Giving a restored socket its name, and making it listen: what CRIU cannot do where the name is another one here. */
#pragma once

#include "socket/address.h"

#include <stdint.h>

/**
 * bind(2), also of a port that only connections have, and listen(2) where `backlog` is not below 0. Port 0 is left to
 * IP_BIND_ADDRESS_NO_PORT. *step: the call that failed. 0 or -errno.
 */
int socket_bind(int fd, const union socket_address *local, int backlog, const char **step);

/** A TCP port of an address of this host that no socket of it has; it is nobody's yet. 0 or -errno. */
int socket_free_port(const union socket_address *address, uint16_t *port);
