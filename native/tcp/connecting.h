/*
 * A connect that was in progress, started again from another host.
 *
 * What the far end's kernel may have of the first attempt is a SYN that it answers; nobody there has seen a connection.
 * So nothing is carried but the addresses. A blocked connect(2) that is restarted, and whoever waits for the socket to
 * become writable, find a connect in progress and how it ends, as ever.
 */
#pragma once

#include "socket/address.h"

/**
 * For a closed socket, as CRIU makes it. Sends a SYN from `local`, a port of it also where somebody else has it too. A
 * socket that is connecting already, or is through with it, is left alone. *step: the call that failed.
 * 0 or -errno: what connect(2) says; the program is told the same where it asks again.
 */
int tcp_connect_again(int fd, const union socket_address *local, const union socket_address *remote, const char **step);
