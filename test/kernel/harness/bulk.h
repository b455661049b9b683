/* Streams long enough that the kernel tunes a connection's buffers and windows by them. */
#ifndef MIGRUN_TEST_KERNEL_BULK_H
#define MIGRUN_TEST_KERNEL_BULK_H

#include <stddef.h>

#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif

/* Sends that many bytes from one end and receives them at the other, both at once, and checks them. */
void stream(int from, int to, size_t size);

#endif
