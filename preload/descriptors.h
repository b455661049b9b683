/* All open descriptors of this process. */
#ifndef MIGRUN_SHIM_DESCRIPTORS_H
#define MIGRUN_SHIM_DESCRIPTORS_H

#pragma GCC visibility push(hidden)

/* Calls `visit` for each, without allocating; stops when it returns other than 0, and returns that. Where there is no
 * /proc, those below 1024. */
int each_descriptor(int (*visit)(int fd, void *context), void *context);

#pragma GCC visibility pop

#endif
