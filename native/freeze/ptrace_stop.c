#include "freeze/ptrace_stop.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

int ptrace_await_stop(pid_t tid) {
    siginfo_t info;
    int result;

    do result = waitid(P_PID, (id_t)tid, &info, WSTOPPED | WEXITED | WNOWAIT | __WALL);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int ptrace_take_stop(pid_t tid, int *signal) {
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)tid, &info, WSTOPPED | WNOHANG | __WALL) < 0 || info.si_code != CLD_TRAPPED) return 0;
    /* Above the low byte: a ptrace event (PTRACE_EVENT_STOP here); else a signal is being delivered. */
    *signal = info.si_status >> 8 ? 0 : info.si_status;
    return 1;
}
