/* Hardware breakpoints without a wait.
 *
 * CRIU stops a task at the end of its parasite code by a hardware breakpoint (compel_stop_on_syscall), which is a perf
 * event of that task. The first such event of a system makes the kernel switch its scheduling hooks on and wait for an
 * RCU grace period, 4 to 26 ms (account_event(), kernel/events/core.c); while there is another, it is at once. */
#pragma once

/** A descriptor, close-on-exec, of an idle perf event of the calling thread: as long as it is open, and for a second
 * after, nobody's breakpoint waits. Itself it may wait. -errno; -ENOSYS: a kernel without perf events. */
int breakpoints_hasten(void);
