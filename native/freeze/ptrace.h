/* Stopping processes that are in no cgroup of ours, for a moment and without a trace: PTRACE_SEIZE and
 * PTRACE_INTERRUPT of every thread. A thread leaves its system call as for a signal without a handler: after the
 * release recv, poll and send go on; epoll_wait and its like return EINTR (signal(7)).
 *
 * Nothing is lost: a signal that was just being delivered is delivered at the release, one that comes meanwhile after
 * it; a process that was stopped (SIGSTOP) is stopped afterwards.
 *
 * The tracer is a thread of its own, which lives from the freeze to the release: only the tracer can detach, but when
 * it ends the kernel detaches whatever it traces, in whatever state (exit_ptrace). So a thread that does not stop in
 * time, one in vfork(2) for instance, is let go without ever stopping, and the end of this process is a release
 * as well (of a signal that was just being delivered then only the delivery is lost).
 *
 * The functions may be called by any thread. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct ptrace_freeze;

/** Stops all threads of these processes, also those that they make meanwhile. Processes that end or have ended are
 * passed over. 0 and *freeze, which ptrace_release() takes back; or -errno, and everything runs:
 * -EPERM: not allowed, or traced already (a debugger); -ETIMEDOUT: a thread did not stop within timeout_ms. */
int ptrace_freeze(const pid_t *pids, size_t count, int timeout_ms, struct ptrace_freeze **freeze);

/** Lets them all go on, and returns when no thread is traced any more. */
void ptrace_release(struct ptrace_freeze *freeze);

/* For another tracer: finding threads, and waiting for one that it has asked to stop. */

/** Calls `one` for each thread of a process; stops where it gives less than 0, and returns that; else the sum of what it
 * gives. 0 for a process that is gone; -errno. */
int ptrace_each_thread(pid_t pid, int (*one)(pid_t tid, void *context), void *context);

/** Reads the beginning of a file below /proc/<tid>, and puts a 0 behind it. Returns its length; 0 where it is gone. */
size_t ptrace_read_file(pid_t tid, const char *name, char *text, size_t room);

/**
 * Waits until the thread has stopped or ended, which is left to be taken. A cancellation point. 0 or -errno (-ECHILD:
 * it is gone, or no tracee of this thread).
 */
int ptrace_await_stop(pid_t tid);

/**
 * Takes a stop that is there, which waitpid(2) would take for an end where the thread is of a child of this process. An
 * end is left to be seen by whoever the thread's parent is. Returns 1, with *signal for PTRACE_DETACH to deliver (the
 * signal whose delivery was interrupted, or 0); or 0 where it has not stopped, but ended.
 */
int ptrace_take_stop(pid_t tid, int *signal);
