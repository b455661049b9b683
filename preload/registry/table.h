/*
 * This process's descriptors: for each a word that leads to its socket's record in the registry.
 *
 *   entry = birth << 24 | flags | (slot + 1)
 *
 * An entry is 0 where the descriptor is no socket of IPv4 or IPv6, or is not known. The table is private memory, so a
 * fork copies it. An exec starts with an empty one, and start.c fills it from what is open.
 *
 * An entry goes before its descriptor is closed, because another thread may get the number in the moment of the close.
 */
#pragma once

#include <stdint.h>

#include "registry.h"

/* As many descriptors as a process can have: fs.nr_open, unless somebody has changed it. */
#define TABLE_SIZE (1 << 20)

/* A new socket of IPv4 or IPv6. The descriptor may be -1: then nothing happens. */
void table_birth(int fd, int type, enum registry_state state);
/* A descriptor that came from elsewhere: known to the registry, or unknown, or no such socket at all. */
void table_arrival(int fd);
/* `to` is now the same open file as `from`. */
void table_copy(int from, int to);

/* Forgets the descriptor, before it is closed, and returns its entry for table_bury, or for table_restore where the close
 * did not happen. */
uint64_t table_remove(int fd);
void table_bury(uint64_t entry);
void table_restore(int fd, uint64_t entry);
/* All of them, which are closed next. */
void table_forget_range(unsigned int first, unsigned int last);

/* The record, valid as long as the descriptor is open; NULL: not a socket that we know. */
struct registry_record *table_record(int fd);
/* Tells the supervisor that fd is another than before, if it is a socket that we know. */
void table_notify(int fd);

/* Takes the references of a child before the fork, because the parent may close at once after it. Afterwards the child
 * calls table_child_born; where there is none, the parent calls table_child_failed. A descriptor that another thread
 * opens
 * or closes just then may be counted once too often: that stays until the registry is swept. */
void table_take_for_child(void);
void table_child_born(void);
void table_child_failed(void);

/* Gives all references back, before an exec or an exit. The entries stay, for table_attach, which takes the references again
 * where the exec failed, and for threads that close meanwhile. */
void table_detach(void);
void table_attach(void);
