/*
 * The shim's own declarations. A call has three layers: libc.NAME is libc's function, shim_NAME is ours, and NAME is
 * what the program gets (exported.c). Only exported.c has symbols that anybody else sees.
 *
 * What holds on every hooked path: errno changes only where libc's own call would change it; nothing is allocated,
 * nothing is printed; no lock is taken that a signal handler could want as well; and inside the shim a libc function
 * that is wrapped is called as libc.NAME only.
 *
 * Without a registry the shim is inert: `registry` is NULL, no descriptor has an entry, and each call is libc's.
 *
 * What goes past it: system calls that are not made through libc's functions (static programs, syscall(2), io_uring),
 * and those that libc makes for itself: stdio's reads and writes, the resolver's and syslog's sockets, the parent's exit
 * in daemon(3). A freeze from outside holds all of that as well, and only what signal(7) says shows. Not known are
 * descriptors at TABLE_SIZE and above, and what a process does that shares its descriptors without its memory or the
 * other way round (clone(2)). A call with SO_RCVTIMEO or SO_SNDTIMEO that starts again after a freeze has its whole time
 * again.
 */
#ifndef MIGRUN_SHIM_H
#define MIGRUN_SHIM_H

/* Headers must declare plain functions: neither fortified inlines nor fcntl renamed to fcntl64. */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "registry.h"

#if !defined(__LP64__)
#error "calls.h has the calls of an LP64 system"
#endif

#pragma GCC visibility push(hidden)

#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* libc's own functions, bound before any shim_NAME runs. One that this libc does not have fails with ENOSYS. */
struct libc_calls {
#define CALL(result, name, parameters, arguments) result(*name) parameters;
#define VARIANT(result, name, of, parameters, arguments)
#define VARIADIC(result, name, parameters)
#include "calls.h"
};
extern struct libc_calls libc;

#define CALL(result, name, parameters, arguments) result shim_##name parameters;
#define VARIANT(result, name, of, parameters, arguments)
#define VARIADIC(result, name, parameters)
#include "calls.h"

/* start.c: binds libc and, where there is one, maps the registry. Run by the constructor, or by a call before that. */
extern _Atomic bool shim_started;
void shim_start(void);
void libc_bind(void);

/* The registry; NULL: inert. */
extern struct registry *registry;
/* The registry with its second part, as far as this process has mapped it. */
extern struct registry_view view;
/* The registry's signs, or a block of zeros: never NULL. */
extern struct registry_signs *signs;

/* protected.c: the registry's two descriptors, which the program can neither close nor replace. */
extern _Atomic int memory_fd, event_fd;
int protected_find(struct registry **found);
bool protected_move_away(int to);
/* Tells the supervisor that something changed. Not a cancellation point. */
void notify(void);

static inline bool is_protected(int fd) {
    return unlikely(registry && (fd == atomic_load(&memory_fd) || fd == atomic_load(&event_fd)));
}

/* slots.c: the second part is mapped by this process too, if there is one. errno untouched. */
void slots_reach(void);
/* slots.c: births, references and deaths in the registry; a slot is named with its generation. */
int32_t slot_birth(uint64_t inode, int family, int type, int protocol, uint64_t *generation);
bool slot_take(uint32_t slot, uint64_t generation);
/* True: that was the last reference. */
bool slot_drop(uint32_t slot, uint64_t generation);

/* table.c: this process's descriptors. Entries of descriptors that are not sockets, or not known, are 0. */
/* As many as a process can have: fs.nr_open, unless somebody has changed it. */
#define TABLE_SIZE (1 << 20)
/* A new socket of ours. The descriptor may be -1: then nothing happens. */
void table_birth(int fd, int family, int type, int protocol, enum registry_state state);
/* A descriptor that came from elsewhere: known to the registry, or unknown, or not a socket at all. */
void table_arrival(int fd);
/* `to` is now the same open file as `from`. */
void table_copy(int from, int to);
/* Forgets the descriptor, before it is closed, and returns its entry for table_bury, or for table_restore where the
 * close did not happen. Before, because another thread may get the number in the same moment. */
uint64_t table_remove(int fd);
void table_bury(uint64_t entry);
void table_restore(int fd, uint64_t entry);
void table_forget_range(unsigned int first, unsigned int last);
/* The record, valid as long as the descriptor is open; NULL: not a socket we know. */
struct registry_record *table_record(int fd);
/* References that fork takes for the child, and that an exec or an exit gives back. */
void table_take_for_child(void);
void table_child_born(void);
void table_child_failed(void);
void table_detach(void);
void table_attach(void);

/* signals.c: handlers of the program that ran in this thread. */
extern __thread volatile uint32_t handlers_run __attribute__((tls_model("initial-exec")));
void signals_child_born(void);
/* Blocks every signal, also those that libc keeps to itself; not a library call that could be wrapped. */
void signals_block(sigset_t *old);
void signals_restore(const sigset_t *old);

/* One call that a freeze may disturb: what the world was like before it. */
struct attempt {
    uint32_t generation;
    uint32_t handlers;
    int error;
};

static inline struct attempt attempt_begin(void) {
    return (struct attempt){
        .generation = atomic_load_explicit(&signs->generation, memory_order_relaxed),
        .handlers = handlers_run,
        .error = errno,
    };
}

/* A freeze touched the call, and no handler of the program did. */
static inline bool attempt_frozen(const struct attempt *attempt) {
    uint32_t now = atomic_load(&signs->generation);

    return (now != attempt->generation || (now & 1)) && handlers_run == attempt->handlers;
}

/* After a failure: whether to do the call again, because only a freeze was the reason. Then errno is as before it. */
static inline bool attempt_again(const struct attempt *attempt) {
    if (errno != EINTR || !attempt_frozen(attempt)) return false;
    errno = attempt->error;
    return true;
}

/* deadline.c: what is left of a relative timeout when a call starts again. Nanoseconds; negative: no end. Never too
 * short, too long by at most two ticks of the coarse clock: its reading is what a call can afford each time. */
struct deadline {
    int64_t budget;
    int64_t started;
};
int64_t coarse_now(void);
int64_t deadline_left(const struct deadline *deadline);
/* The same as calls take it, in *rest; NULL: no end. */
const struct timespec *deadline_rest(const struct deadline *deadline, struct timespec *rest);
/* Negative for NULL; saturated. What is not a valid time is 0: libc's own call then complains. */
int64_t from_timespec(const struct timespec *time);

static inline struct deadline deadline_start(int64_t budget) {
    return (struct deadline){.budget = budget, .started = budget > 0 ? coarse_now() : 0};
}

#pragma GCC visibility pop

#endif
