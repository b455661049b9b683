/* A program's registry (preload/registry/registry.h) as its supervisor sees it: memory that it shares with the program.
 *
 * The program can write to all of it. So nothing found there is an index or a length here without a check, and nothing
 * here waits for anything there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../preload/registry/hidden_options.h"

/* The registry as this process has mapped it. */
struct registry_mapping;

struct registry_hidden_socket {
    uint64_t inode;
    uint32_t options; /* a bit for each enum hidden_option */
};

/* A group of SO_REUSEPORT that has a program: all sockets at this port that listen, or are bound, are in it. */
struct registry_group {
    int protocol; /* IPPROTO_TCP, IPPROTO_UDP */
    uint16_t port;
};

struct registry_move {
    uint64_t from;
    uint64_t to;
};

/* Maps the registry behind memfd, which stays the caller's. 0 and *registry, for registry_unmap; or -errno, -EPROTO:
 * it is not a registry of this version. */
int registry_map(int memfd, struct registry_mapping **registry);
void registry_unmap(struct registry_mapping *registry);

/* From begin to end the shim hides the EINTR and short counts of whatever is in a call now or comes into one. Begin
 * before the freeze, end after the thaw or before; both may be repeated. A registry that was dumped in a freeze is
 * in a freeze when it is restored: end it there. */
void registry_begin_freeze(struct registry_mapping *registry);
void registry_end_freeze(struct registry_mapping *registry);

/* Gives the inodes of at most `room` sockets and returns how many there are. `inodes` may be NULL with room 0. */
size_t registry_list(struct registry_mapping *registry, uint64_t *inodes, size_t room);

/* Lists the sockets that have such options, as registry_list does. */
size_t registry_list_hidden(struct registry_mapping *registry, struct registry_hidden_socket *sockets, size_t room);

/* The program has set SO_RCVTIMEO or SO_SNDTIMEO on some socket. */
bool registry_has_timeouts(struct registry_mapping *registry);

/*
 * Lists groups, as registry_list does. A group whose sockets are closed without SO_DETACH_REUSEPORT_BPF stays among
 * them.
 */
size_t registry_list_groups(struct registry_mapping *registry, struct registry_group *groups, size_t room);

/* Sockets got other inode numbers, as all do in a restore; what is known of them stays theirs. All moves have to come at
 * once, since the old number of one may be the new one of another. Only while the program is frozen. 0 or -ENOMEM. */
int registry_move_inodes(struct registry_mapping *registry, const struct registry_move *moves, size_t count);

/* Forgets all sockets but these, which the program has open: processes that were killed forgot nothing. What is forgotten
 * takes no memory any more. Only while the program is frozen. 0 or -ENOMEM. */
int registry_sweep(struct registry_mapping *registry, const uint64_t *alive, size_t count);
