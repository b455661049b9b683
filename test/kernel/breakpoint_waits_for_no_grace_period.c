/* While somebody holds a perf event of a task, a hardware breakpoint is set without sleeping; else it may wait for an RCU grace period.
 *
 * Source: perf_event_alloc() and account_event() in kernel/events/core.c (synchronize_rcu() where perf_sched_count was
 * 0), which ptrace_register_breakpoint() in arch/x86/kernel/ptrace.c comes to; perf_sched_delayed() lets go after HZ.
 * Relied on by: dump and restore. CRIU stops each task at the end of its parasite by a breakpoint; both hosts hold an
 * event meanwhile (native/breakpoints.c). */
#include "harness/result.h"

#include <linux/perf_event.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__

static long sleeps(void)
{
	struct rusage usage;

	need(getrusage(RUSAGE_THREAD, &usage));
	return usage.ru_nvcsw;
}

/* How often the tracer slept while it set one breakpoint of the stopped child, and took it away. */
static long sleeps_to_set(pid_t child)
{
	const size_t dr0 = offsetof(struct user, u_debugreg[0]), dr7 = offsetof(struct user, u_debugreg[7]);
	long before = sleeps();

	need(ptrace(PTRACE_POKEUSER, child, dr0, (void *)&sleeps));
	need(ptrace(PTRACE_POKEUSER, child, dr7, (void *)1L));
	long slept = sleeps() - before;
	need(ptrace(PTRACE_POKEUSER, child, dr7, (void *)0L));
	return slept;
}

static pid_t stopped_child(void)
{
	pid_t child = need(fork());
	int status;

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	need(waitpid(child, &status, 0));
	expect(WIFSTOPPED(status), "the child did not stop");
	return child;
}

static void body(void)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_SOFTWARE, .size = sizeof(attributes), .config = PERF_COUNT_SW_DUMMY, .disabled = 1, .exclude_kernel = 1,
	};
	pid_t alone = stopped_child(), accompanied = stopped_child();
	long cold = sleeps_to_set(alone);
	int held = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (held < 0)
		missing("perf_event_open(2)");
	long warm = sleeps_to_set(accompanied);
	expect(warm == 0, "slept %ld times beside a perf event of a task", warm);
	need(ptrace(PTRACE_KILL, alone, NULL, NULL));
	need(ptrace(PTRACE_KILL, accompanied, NULL, NULL));
	close(held);
	/* Not asserted: whatever else runs on this machine may hold an event. */
	holds("slept %ld times at the first breakpoint, none beside an event", cold);
}

#else

static void body(void)
{
	missing("x86-64, whose breakpoints this sets");
}

#endif

int main(void)
{
	return check(body);
}
