#include "kernel/process.h"

#include <errno.h>
#include <signal.h>
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
