/* What a socket has of the options that the kernel shows to nobody: options.c. */
#ifndef MIGRUN_SHIM_OPTIONS_H
#define MIGRUN_SHIM_OPTIONS_H

#include <sys/socket.h>

struct registry_record;

#pragma GCC visibility push(hidden)

/* fd was bound, or listens: it may have come into a group of SO_REUSEPORT. errno untouched. */
void options_joined(int fd);
/* fd was accepted from this listening socket. */
void options_inherit(const struct registry_record *listener, int fd);
/* fd is about to send without copying. errno untouched. */
void options_zerocopy(int fd);

#pragma GCC visibility pop

#endif
