/* How a program of test/kernel ends: the statement holds, it does not, or it cannot be tried here.
 *
 * The body of a program runs as PID 1 of a PID, mount and network namespace of its own, so whatever it
 * starts ends with it; the process outside waits for it for TIME_LIMIT_S seconds, prints its one line and
 * removes its work folder and its cgroup. */
#ifndef MIGRUN_TEST_KERNEL_RESULT_H
#define MIGRUN_TEST_KERNEL_RESULT_H

#include <stdbool.h>

enum { HOLDS = 0, DIFFERS = 1, MISSING = 77 };

/* Runs the body once. Returns what main() is to return. */
int check(void (*body)(void));

/* Runs the body with AF_INET and with AF_INET6: the statement holds where both hold. */
int check_families(void (*body)(int family));

/* Each ends the body; the text is what was seen, in one line of at most 400 bytes. */
void holds(const char *seen, ...) __attribute__((noreturn, format(printf, 1, 2)));
void differs(const char *seen, ...) __attribute__((noreturn, format(printf, 1, 2)));
void missing(const char *what, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Ends the body with DIFFERS where a call the statement is not about fails (returns below 0). */
#define need(call) need_result((long)(call), #call, __FILE__, __LINE__)
long need_result(long result, const char *call, const char *file, int line);

/* Ends the body with DIFFERS where the kernel does not do what the text says. */
#define expect(condition, ...)                  \
    do {                                        \
        if (!(condition)) differs(__VA_ARGS__); \
    } while (0)

/* An empty folder for the body's files; removed with all in it at the end. */
const char *work_folder(void);

/* The folder of a cgroup v2 that this program may make (it is not made yet); its cgroups, at most one
 * level below it too, are removed at the end. Ends the body with MISSING where no cgroup2 is mounted. */
const char *cgroup_folder(void);

#endif
