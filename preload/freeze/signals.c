#include "signals.h"

#include <sched.h>
#include <sys/syscall.h>

#include "registry/protected.h"
#include "shim.h"

/* The kernel's signal sets have 64 bits (_NSIG / 8 bytes). */
#define KERNEL_SET_SIZE (_NSIG / 8)

typedef void (*handler)(int number, siginfo_t *info, void *context);

struct registration {
    _Atomic(handler) function;
    /* The program itself asked for SA_SIGINFO. */
    bool has_info;
};

__thread volatile uint32_t handlers_run __attribute__((tls_model("initial-exec")));

static struct registration registrations[_NSIG];
/* A bit for each signal that siginterrupt said shall interrupt. */
static _Atomic uint64_t interrupting;
static atomic_flag changing = ATOMIC_FLAG_INIT;

void signals_block(sigset_t *old) {
    const uint64_t all = ~UINT64_C(0);

    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &all, old, KERNEL_SET_SIZE);
}

void signals_restore(const sigset_t *old) { syscall(SYS_rt_sigprocmask, SIG_SETMASK, old, NULL, KERNEL_SET_SIZE); }

/* Another thread may have been in the middle of a change. */
void signals_child_born(void) { atomic_flag_clear(&changing); }

static void counted(int number, siginfo_t *info, void *context) {
    handler function = atomic_load(&registrations[number].function);

    handlers_run++;
    if (function) function(number, info, context);
}

static bool is_function(const struct sigaction *action) {
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

/* The table is changed first, then the kernel: a signal in between finds a handler. */
static int change(int number, const struct sigaction *action, struct sigaction *old) {
    struct registration *registration = &registrations[number];
    handler function_before = atomic_load(&registration->function);
    bool had_info = registration->has_info;
    struct sigaction ours, previous;
    int result;

    if (action) {
        ours = *action;
        if (is_function(action)) {
            atomic_store(&registration->function, action->sa_sigaction);
            registration->has_info = action->sa_flags & SA_SIGINFO;
            ours.sa_sigaction = counted;
            ours.sa_flags |= SA_SIGINFO;
        }
    }
    result = libc.sigaction(number, action ? &ours : NULL, &previous);
    if (result < 0) {
        atomic_store(&registration->function, function_before);
        registration->has_info = had_info;
    } else if (old) {
        *old = previous;
        if (previous.sa_sigaction == counted) {
            old->sa_sigaction = function_before;
            if (!had_info) old->sa_flags &= ~SA_SIGINFO;
        }
    }
    return result;
}

int shim_sigaction(int number, const struct sigaction *action, struct sigaction *old) {
    sigset_t mask;
    int result;

    if (!registry || number < 1 || number >= _NSIG) return libc.sigaction(number, action, old);
    signals_block(&mask);
    while (atomic_flag_test_and_set(&changing)) sched_yield();
    result = change(number, action, old);
    atomic_flag_clear(&changing);
    signals_restore(&mask);
    return result;
}

/* The older interfaces are written in terms of sigaction here as in libc, whose own would not come past us. */
static sighandler_t install(int number, sighandler_t function, int flags, bool masked) {
    struct sigaction action = {.sa_handler = function, .sa_flags = flags}, old;

    if (function == SIG_ERR || number < 1 || number >= _NSIG) {
        errno = EINVAL;
        return SIG_ERR;
    }
    sigemptyset(&action.sa_mask);
    if (masked) sigaddset(&action.sa_mask, number);
    return shim_sigaction(number, &action, &old) < 0 ? SIG_ERR : old.sa_handler;
}

static uint64_t bit(int number) { return number >= 1 && number < _NSIG ? UINT64_C(1) << (number - 1) : 0; }

sighandler_t shim_signal(int number, sighandler_t function) {
    if (!registry) return libc.signal(number, function);
    return install(number, function, atomic_load(&interrupting) & bit(number) ? 0 : SA_RESTART, true);
}

sighandler_t shim_sysv_signal(int number, sighandler_t function) {
    if (!registry) return libc.sysv_signal(number, function);
    return install(number, function, SA_RESETHAND | SA_NODEFER, false);
}

/* With SIG_HOLD it only blocks; with anything else it unblocks. The result is SIG_HOLD where it was blocked before. */
sighandler_t shim_sigset(int number, sighandler_t function) {
    struct sigaction old = {.sa_handler = SIG_DFL};
    sighandler_t before;
    sigset_t set, blocked;

    if (!registry) return libc.sigset(number, function);
    sigemptyset(&set);
    if (sigaddset(&set, number) < 0) return SIG_ERR;
    if (function == SIG_HOLD)
        before = shim_sigaction(number, NULL, &old) < 0 ? SIG_ERR : old.sa_handler;
    else
        before = install(number, function, 0, false);
    if (before == SIG_ERR) return SIG_ERR;
    if (sigprocmask(function == SIG_HOLD ? SIG_BLOCK : SIG_UNBLOCK, &set, &blocked) < 0) return SIG_ERR;
    return sigismember(&blocked, number) ? SIG_HOLD : before;
}

int shim_siginterrupt(int number, int interrupts) {
    struct sigaction action;

    if (!registry) return libc.siginterrupt(number, interrupts);
    if (shim_sigaction(number, NULL, &action) < 0) return -1;
    if (interrupts) {
        atomic_fetch_or(&interrupting, bit(number));
        action.sa_flags &= ~SA_RESTART;
    } else {
        atomic_fetch_and(&interrupting, ~bit(number));
        action.sa_flags |= SA_RESTART;
    }
    return shim_sigaction(number, &action, NULL);
}
