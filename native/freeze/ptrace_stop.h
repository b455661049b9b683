/* Waiting for a tracee (ptrace(2)) that was asked to stop. */
#pragma once

#include <sys/types.h>

/** Until the thread has stopped or ended, which is left to be taken. A cancellation point. 0 or -errno (-ECHILD: it is gone,
 * or no tracee of this thread). */
int ptrace_await_stop(pid_t tid);

/** Takes a stop that is there: a waitpid(2) of this process's own for a child of its own would take it for an end. An end is
 * left to be seen by whoever the thread's parent is. 1, and *signal: what PTRACE_DETACH has to deliver, the signal whose
 * delivery was interrupted, or 0. 0: it has not stopped, but ended. */
int ptrace_take_stop(pid_t tid, int *signal);
