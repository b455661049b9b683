/* What the shim does where processes begin and end. */
#ifndef MIGRUN_SHIM_PROCESS_H
#define MIGRUN_SHIM_PROCESS_H

#pragma GCC visibility push(hidden)

/* Once in each program image. */
void process_start(void);
/* Gives all references back, before this image ends; not in a process that only borrows our memory, as the child of a
 * clone(2) with CLONE_VM does. */
void process_leave(void);
/* The image did not end: the exec failed. errno untouched. */
void process_stay(void);

#pragma GCC visibility pop

#endif
