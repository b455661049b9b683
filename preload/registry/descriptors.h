/* What the kernel says of this process's descriptors. */
#pragma once

#include <stdbool.h>

/* Calls `visit` for each that is open, without allocating; stops when it returns other than 0, and returns that. Where there
 * is no /proc, those below 1024. */
int each_descriptor(int (*visit)(int fd, void *context), void *context);

/* Whether a call on fd with these MSG_* flags may block. errno untouched. */
bool is_blocking(int fd, int flags);

/* An option of SOL_SOCKET whose value is an int; `otherwise` where fd has none such. errno untouched. */
int socket_option(int fd, int name, int otherwise);
