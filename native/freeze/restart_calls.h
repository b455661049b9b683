/*
 * Calls that a freeze has interrupted, begun again.
 *
 * Most calls that a freeze interrupts start again by themselves. One that waits on a socket with SO_RCVTIMEO or
 * SO_SNDTIMEO fails with EINTR (sock_intr_errno() in include/net/sock.h; signal(7)). The shim begins it again where it
 * sees it; but libc's stdio goes past the shim. What a thread will return stands in its registers already, for a tracer
 * to change: it is set back onto the instruction that made the call. The time that the call may wait begins anew.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/**
 * Begins again read(2), readv(2), write(2) and writev(2) of all threads of these processes, which are frozen by a
 * cgroup and may come out of that state for a moment, in the kernel (cgroup_freeze() waits until they are back). A call
 * stays interrupted where a signal waits for its thread, or a debugger has that thread. Returns how many were begun
 * again, or -errno.
 */
int restart_calls(const pid_t *pids, size_t count);
