#include "process.h"

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>

#include "freeze/signals.h"
#include "registry/protected.h"
#include "registry/table.h"
#include "shim.h"

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

/* Gives all references back, before this image ends. Does nothing in a process that only borrows our memory, as the child
 * of a clone(2) with CLONE_VM does. */
static void leave(void) {
    if (registry && getpid() == atomic_load(&owner)) table_detach();
}

/* The image did not end, because the exec failed. Returns the result of that. errno untouched. */
static int stay(int result) {
    int error = errno;

    if (registry && getpid() == atomic_load(&owner)) table_attach();
    errno = error;
    return result;
}

/* An exec that comes back has failed. */
#define EXEC(call) (leave(), stay(call))

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
    leave();
    libc._exit(status);
}

__attribute__((destructor)) static void at_exit(void) { leave(); }

int shim_execve(const char *path, char *const arguments[], char *const environment[]) {
    return EXEC(libc.execve(path, arguments, environment));
}

int shim_execv(const char *path, char *const arguments[]) { return EXEC(libc.execv(path, arguments)); }

int shim_execvp(const char *file, char *const arguments[]) { return EXEC(libc.execvp(file, arguments)); }

int shim_execvpe(const char *file, char *const arguments[], char *const environment[]) {
    return EXEC(libc.execvpe(file, arguments, environment));
}

int shim_fexecve(int fd, char *const arguments[], char *const environment[]) {
    return EXEC(libc.fexecve(fd, arguments, environment));
}

int shim_execveat(int folder, const char *path, char *const arguments[], char *const environment[], int flags) {
    return EXEC(libc.execveat(folder, path, arguments, environment, flags));
}

/* Returns how many arguments a list has, its NULL included. */
static size_t count(const char *first, va_list list) {
    size_t number = 1;

    for (const char *argument = first; argument; argument = va_arg(list, const char *)) number++;
    return number;
}

/* Puts them into an array. Leaves the list behind its NULL, where execle has the environment. */
static void collect(char **arguments, const char *first, va_list *list) {
    const char *argument = first;

    for (size_t i = 0;; i++) {
        arguments[i] = (char *)(uintptr_t)argument;
        if (!argument) return;
        argument = va_arg(*list, const char *);
    }
}

#define EXPORT_LIST(name, exec)                                                                        \
    __attribute__((visibility("default"))) int exported_##name(const char *path, const char *argument, \
                                                               ...) __asm__(#name);                    \
    int exported_##name(const char *path, const char *argument, ...) {                                 \
        va_list list, counted;                                                                         \
        int result;                                                                                    \
                                                                                                       \
        if (!atomic_load(&shim_started)) shim_start();                                                 \
        va_start(list, argument);                                                                      \
        va_copy(counted, list);                                                                        \
        char *arguments[count(argument, counted)];                                                     \
        va_end(counted);                                                                               \
        collect(arguments, argument, &list);                                                           \
        result = exec;                                                                                 \
        va_end(list);                                                                                  \
        return result;                                                                                 \
    }

EXPORT_LIST(execl, shim_execv(path, arguments))
EXPORT_LIST(execlp, shim_execvp(path, arguments))
EXPORT_LIST(execle, shim_execve(path, arguments, va_arg(list, char *const *)))
