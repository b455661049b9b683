#include "freeze/restart_calls.h"

#include "freeze/ptrace.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>

#if defined(__x86_64__)

typedef struct user_regs_struct registers;

static bool has_failed(const registers *own, long number) {
    return (long)own->rax == -EINTR && (long)own->orig_rax == number;
}

/* Sets it back onto the SYSCALL instruction, as arch_do_signal_or_restart() in arch/x86/kernel/signal.c does. */
static void begin_again(registers *own, long number, uint64_t first) {
    (void)first;
    own->rax = (unsigned long)number;
    own->orig_rax = (unsigned long)-1;
    own->rip -= 2;
}

#elif defined(__aarch64__)

typedef struct user_regs_struct registers;

static bool has_failed(const registers *own, long number) {
    return (long)own->regs[0] == -EINTR && (long)own->regs[8] == number;
}

/* Sets it back onto the SVC instruction. The result stands where the first argument was. */
static void begin_again(registers *own, long number, uint64_t first) {
    (void)number;
    own->regs[0] = first;
    own->pc -= 4;
}

#else
#error "how does a call begin again here?"
#endif

static bool is_restartable(long number) {
    return number == SYS_read || number == SYS_readv || number == SYS_write || number == SYS_writev;
}

/* The call that the thread is in, and its first argument; -1: it is in none. */
static long call_of(pid_t tid, uint64_t *first) {
    char text[256];
    long number;

    ptrace_read_file(tid, "syscall", text, sizeof text);
    return sscanf(text, "%ld %" SCNx64, &number, first) == 2 ? number : -1;
}

static uint64_t mask_in(const char *status, const char *label) {
    const char *at = strstr(status, label);

    return at ? strtoull(at + strlen(label), NULL, 16) : 0;
}

/* Whether a signal waits for it: then EINTR may be what the program wants to be told. */
static bool has_signal(pid_t tid) {
    char status[4096];

    ptrace_read_file(tid, "status", status, sizeof status);
    return (mask_in(status, "\nSigPnd:\t") | mask_in(status, "\nShdPnd:\t")) & ~mask_in(status, "\nSigBlk:\t");
}

static bool change(pid_t tid, long number, uint64_t first) {
    registers own = {0};
    struct iovec all = {.iov_base = &own, .iov_len = sizeof own};

    if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &all) < 0 || all.iov_len != sizeof own) return false;
    if (!has_failed(&own, number)) return false;
    begin_again(&own, number, first);
    return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &all) == 0;
}

/* Returns 1 where a call begins again; 0 where there is none, or somebody else has the thread, or it is gone. */
static int restart(pid_t tid, void *context) {
    uint64_t first;
    long number = call_of(tid, &first);
    int result, signal = 0;

    (void)context;
    if (!is_restartable(number) || has_signal(tid)) return 0;
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0) return errno == ESRCH || errno == EPERM ? 0 : -errno;
    if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0 || ptrace_await_stop(tid) < 0) return 0;
    if (!ptrace_take_stop(tid, &signal)) return 0;
    result = signal == 0 && change(tid, number, first);
    ptrace(PTRACE_DETACH, tid, NULL, (long)signal);
    return result;
}

int restart_calls(const pid_t *pids, size_t count) {
    int restarted = 0;

    for (size_t i = 0; i < count; i++) {
        int result = ptrace_each_thread(pids[i], restart, NULL);

        if (result < 0) return result;
        restarted += result;
    }
    return restarted;
}
