/*
 * Options that the kernel takes and shows to nobody: whoever sets one is seen here or not at all. What is set stays
 * noted in the registry, and keeps the program from moving (src/program/registry.ts).
 */
#pragma once

#include <sys/socket.h>

struct registry_record;

/* fd was bound, or listens: it may have come into a group of SO_REUSEPORT. errno untouched. */
void options_joined(int fd);
/* fd was accepted from this listening socket. */
void options_inherit(const struct registry_record *listener, int fd);
/* fd is about to send without copying. errno untouched. */
void options_zerocopy(int fd);
