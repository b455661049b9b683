/* A hardware breakpoint that a tracer has set stays with the task after it was taken away and the tracer has gone.
 *
 * It is a perf event, disabled, which takes one of the four slots and is looked at whenever the task is scheduled, until
 * that ends or executes a program.
 * Source: ptrace_write_dr7() in arch/x86/kernel/ptrace.c only modifies thread->ptrace_bps[]; flush_ptrace_hw_breakpoint()
 * is called by flush_thread() and exit_thread() alone. __perf_event_task_sched_in() in kernel/events/core.c;
 * reserve_bp_slot() in kernel/events/hw_breakpoint.c counts what is disabled too.
 * Relied on by: dump and restore. CRIU stops tasks by breakpoints, unless CRIU_FAULT=130 tells it not to; a program that
 * was dumped or restored with them took 1 us longer for each response, for the rest of its life. */
#include "harness/result.h"

#include <errno.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef __x86_64__

enum { SLOTS = 4 };

static pid_t waiting_child(void) {
    pid_t child = need(fork());

    while (child == 0) pause();
    return child;
}

/* How many breakpoints a task has room for. */
static int free_slots(pid_t task) {
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_BREAKPOINT,
        .size = sizeof(attributes),
        .bp_type = HW_BREAKPOINT_W,
        .bp_len = HW_BREAKPOINT_LEN_1,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    int held[SLOTS + 1], count = 0;

    for (; count <= SLOTS; count++) {
        attributes.bp_addr = (uintptr_t)&held[count];
        held[count] = (int)syscall(SYS_perf_event_open, &attributes, task, -1, -1, PERF_FLAG_FD_CLOEXEC);
        if (held[count] < 0) break;
    }
    if (count <= SLOTS && errno != ENOSPC) missing("hardware breakpoints by perf_event_open(2)");
    for (int i = 0; i < count; i++) close(held[i]);
    return count;
}

/* Does what CRIU does: a breakpoint is set and taken away, and the task is left to itself. */
static void trace_with_breakpoint(pid_t child) {
    const size_t dr0 = offsetof(struct user, u_debugreg[0]), dr7 = offsetof(struct user, u_debugreg[7]);
    int status;

    need(ptrace(PTRACE_ATTACH, child, NULL, NULL));
    need(waitpid(child, &status, 0));
    need(ptrace(PTRACE_POKEUSER, child, dr0, (void *)&free_slots));
    need(ptrace(PTRACE_POKEUSER, child, dr7, (void *)1L));
    need(ptrace(PTRACE_POKEUSER, child, dr7, (void *)0L));
    need(ptrace(PTRACE_DETACH, child, NULL, NULL));
}

static void body(void) {
    pid_t untouched = waiting_child(), traced = waiting_child();

    trace_with_breakpoint(traced);
    int all = free_slots(untouched), left = free_slots(traced);
    need(kill(untouched, SIGKILL));
    need(kill(traced, SIGKILL));
    expect(all == SLOTS, "a task has %d breakpoints, not %d", all, SLOTS);
    expect(left == SLOTS - 1, "a task that was traced has room for %d breakpoints, not %d", left, SLOTS - 1);
    holds("of %d breakpoints of a task, the one that a tracer has set and taken away is still taken", all);
}

#else

static void body(void) { missing("x86-64, whose breakpoints this sets"); }

#endif

int main(void) { return check(body); }
