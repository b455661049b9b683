#include "process.h"

#include <pthread.h>
#include <sched.h>

#include "shim.h"
#include "signals.h"
#include "table.h"

/* Whose memory this is. */
static _Atomic pid_t owner;

/* One fork goes on at a time, and no handler of the program runs in between: the marks that table_take_for_child leaves belong
 * to one fork. */
static atomic_flag forking = ATOMIC_FLAG_INIT;
static sigset_t mask_before;

static void fork_prepare(void) {
    sigset_t mask;

    signals_block(&mask);
    while (atomic_flag_test_and_set(&forking)) sched_yield();
    mask_before = mask;
    table_take_for_child();
}

static void fork_parent(void) {
    sigset_t mask = mask_before;

    atomic_flag_clear(&forking);
    signals_restore(&mask);
}

static void fork_child(void) {
    sigset_t mask = mask_before;

    atomic_store(&owner, getpid());
    table_child_born();
    signals_child_born();
    atomic_flag_clear(&forking);
    signals_restore(&mask);
}

void process_start(void) {
    atomic_store(&owner, getpid());
    pthread_atfork(fork_prepare, fork_parent, fork_child);
}

void process_leave(void) {
    if (registry && getpid() == atomic_load(&owner)) table_detach();
}

void process_stay(void) {
    int error = errno;

    if (registry && getpid() == atomic_load(&owner)) table_attach();
    errno = error;
}

pid_t shim_fork(void) {
    pid_t child = libc.fork();

    if (child < 0 && registry) table_child_failed();
    return child;
}

pid_t shim__Fork(void) {
    pid_t child;

    if (!registry) return libc._Fork();
    if (libc._Fork == libc.fork) return shim_fork();
    fork_prepare();
    child = libc._Fork();
    if (child == 0)
        fork_child();
    else
        fork_parent();
    if (child < 0) table_child_failed();
    return child;
}

void shim__exit(int status) {
    process_leave();
    libc._exit(status);
}

__attribute__((destructor)) static void at_exit(void) { process_leave(); }
