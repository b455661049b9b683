#include "kernel/process.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int process_become_subreaper(void) { return prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 ? -errno : 0; }

int process_open(pid_t pid) {
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

    return pidfd < 0 ? -errno : pidfd;
}

int process_take_fd(int pidfd, int fd) {
    int ours = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);

    return ours < 0 ? -errno : ours;
}

int process_check_child(int pidfd) {
    siginfo_t info;

    return waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ? -errno : 0;
}

int process_reap(int pidfd, int *code) {
    siginfo_t info = {0};

    if (waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0) return -errno;
    if (info.si_pid == 0) return -EAGAIN;
    *code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    return 0;
}

int process_set_affinity(pid_t tid, const uint32_t *cpus, size_t count) {
    size_t highest = 0, size;
    cpu_set_t *set;
    int result;

    for (size_t i = 0; i < count; i++)
        if (cpus[i] > highest) highest = cpus[i];
    size = CPU_ALLOC_SIZE(highest + 1);
    if (!(set = CPU_ALLOC(highest + 1))) return -ENOMEM;
    CPU_ZERO_S(size, set);
    for (size_t i = 0; i < count; i++) CPU_SET_S(cpus[i], size, set);
    result = sched_setaffinity(tid, size, set) < 0 ? -errno : 0;
    CPU_FREE(set);
    return result;
}

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

/* clone(2) without SIGCHLD: nobody but us is told of the task's end, and waitpid(2) takes it with __WALL. */
int process_run_with_own_descriptors(int (*work)(void *argument), void *argument) {
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
