/* PTRACE_SEIZE, PTRACE_INTERRUPT and PTRACE_DETACH do to blocked calls what freezing does: the same go on, the same end.
 *
 * Source: ptrace_request() in kernel/ptrace.c, JOBCTL_TRAP_STOP; the way out of the call is the freezer's.
 * Relied on by: the rebind of peers that are not wrapped. */
#include "harness/blocked.h"
#include "harness/hosts.h"
#include "harness/result.h"

#include <sys/ptrace.h>
#include <sys/wait.h>

static void stop_and_detach(pid_t pid) {
    int status;

    need(ptrace(PTRACE_SEIZE, pid, 0, 0));
    need(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
    need(waitpid(pid, &status, __WALL));
    expect(WIFSTOPPED(status), "the process did not stop");
    need(ptrace(PTRACE_DETACH, pid, 0, 0));
}

static void body(void) {
    char gone_on[256], ended[256];

    hosts_up();
    expect_restarts(stop_and_detach, gone_on, sizeof(gone_on));
    expect_interrupts(stop_and_detach, ended, sizeof(ended));
    holds("gone on: %s; EINTR: %s", gone_on, ended);
}

int main(void) { return check(body); }
