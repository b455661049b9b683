/* Processes of a body, and stopping them: the cgroup v2 freezer and ptrace. */
#ifndef MIGRUN_TEST_KERNEL_TASK_H
#define MIGRUN_TEST_KERNEL_TASK_H

#include <stdbool.h>
#include <sys/types.h>

/* Forks a process that runs task(argument) and exits with what that returns. */
pid_t start(int (*task)(void *argument), void *argument);

/* Waits for its exit. Returns its status, or -signal. */
int finish(pid_t pid);

/* Waits at most the given time for its exit. Returns whether it has exited; it is still to be finished. */
bool ends_within(pid_t pid, int milliseconds);

/* Waits until the process sleeps in that system call (SYS_*), or -1 until it sleeps in any. */
void wait_sleeping_in(pid_t pid, long call);

/* Makes the cgroup `name` (NULL: the program's own one) below cgroup_folder() and puts the process there. */
void cgroup_make(const char *name);
void cgroup_enter(const char *name, pid_t pid);

/* Returns how many processes the cgroup has. */
int cgroup_count(const char *name);

/* Freezes or thaws the cgroup and waits until the kernel says that it is so. */
void cgroup_freeze(const char *name, bool frozen);
bool cgroup_is_frozen(const char *name);
void cgroup_kill(const char *name);

/* Reads one int at an address of the process. */
int peek_int(pid_t pid, const volatile int *address);

#endif
