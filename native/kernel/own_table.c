#include "kernel/own_table.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { STACK_SIZE = 64 << 10 };

struct task {
    int (*work)(void *argument);
    void *argument;
    int result;
};

static int run(void *argument) {
    struct task *task = argument;

    task->result = task->work(task->argument);
    return 0;
}

/* With no signal at its end. */
int run_in_own_table(int (*work)(void *argument), void *argument) {
    struct task task = {.work = work, .argument = argument};
    char *stack = malloc(STACK_SIZE);
    sigset_t all, before;
    pid_t pid;

    if (!stack) return -ENOMEM;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = clone(run, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK, &task);
    if (pid < 0)
        task.result = -errno;
    else
        while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
            ;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(stack);
    return task.result;
}
