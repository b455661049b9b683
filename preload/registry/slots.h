/* This process's part in the life of the registry's slots (registry.h). A slot is named with its birth. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Sees that this process has mapped the registry's second part too, if there is one. errno untouched. */
void slots_reach(void);

/* A slot for a socket that nobody else has yet, with one reference. -1: the registry is full, and the socket works as any
 * other but is not in it. */
int32_t slot_birth(uint64_t inode, int type, uint64_t *birth);

/* One reference more; also the first one again, after an exec. False: the slot is somebody else's by now. */
bool slot_take(uint32_t slot, uint64_t birth);

/* One reference less. True: that was the last one. */
bool slot_drop(uint32_t slot, uint64_t birth);
