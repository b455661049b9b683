/* Calls that a process is blocked in while it is stopped and let go on: which go on too, which return EINTR. */
#ifndef MIGRUN_TEST_KERNEL_BLOCKED_H
#define MIGRUN_TEST_KERNEL_BLOCKED_H

#include <stddef.h>
#include <sys/types.h>

/* Stops a process and lets it go on. */
typedef void stop_and_go(pid_t pid);

/* Blocks a process in each of the calls that the kernel restarts, stops it, lets it go on, and then wakes the call:
 * ends the body with DIFFERS where one returns anything else than it would have without. Writes their names. */
void expect_restarts(stop_and_go *stop, char *names, size_t size);

/* Does the same for the calls that the kernel ends with EINTR, without a signal or a handler. */
void expect_interrupts(stop_and_go *stop, char *names, size_t size);

#endif
