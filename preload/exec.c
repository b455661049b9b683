/* Calls that execute another program in this process. */
#include <stdarg.h>

#include "process.h"
#include "shim.h"

static int failed(int result) {
    process_stay();
    return result;
}

int shim_execve(const char *path, char *const arguments[], char *const environment[]) {
    process_leave();
    return failed(libc.execve(path, arguments, environment));
}

int shim_execv(const char *path, char *const arguments[]) {
    process_leave();
    return failed(libc.execv(path, arguments));
}

int shim_execvp(const char *file, char *const arguments[]) {
    process_leave();
    return failed(libc.execvp(file, arguments));
}

int shim_execvpe(const char *file, char *const arguments[], char *const environment[]) {
    process_leave();
    return failed(libc.execvpe(file, arguments, environment));
}

int shim_fexecve(int fd, char *const arguments[], char *const environment[]) {
    process_leave();
    return failed(libc.fexecve(fd, arguments, environment));
}

int shim_execveat(int folder, const char *path, char *const arguments[], char *const environment[], int flags) {
    process_leave();
    return failed(libc.execveat(folder, path, arguments, environment, flags));
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
