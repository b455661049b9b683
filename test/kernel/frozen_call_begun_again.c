/* A read with a timeout that a freeze makes fail with EINTR goes on where its frozen thread is set back onto the instruction.
 *
 * Source: sock_intr_errno() in include/net/sock.h; the result stands in the registers before get_signal() in kernel/signal.c
 * comes to do_freezer_trap(), which a stop for ptrace(2) interrupts (JOBCTL_TRAP_STOP) and nothing else of the thread runs.
 * /proc/<pid>/syscall names the call as long (proc_pid_syscall() in fs/proc/base.c).
 * Relied on by: the freeze of a program whose stdio reads or writes such sockets (native/freeze/restart_calls.c). */
#include "harness/result.h"
#include "harness/task.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static int read_one(void *argument) {
    char byte;
    ssize_t result = read(*(int *)argument, &byte, 1);

    return result < 0 ? errno : byte;
}

static pid_t start_reader(int *ends) {
    struct timeval time = {.tv_sec = 30};
    pid_t pid;

    need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
    need(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)));
    pid = start(read_one, &ends[0]);
    wait_sleeping_in(pid, SYS_read);
    cgroup_enter(NULL, pid);
    return pid;
}

static long call_shown(pid_t pid) {
    char path[32];
    long number = -1;
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
    file = fopen(path, "re");
    expect(file && fscanf(file, "%ld", &number) == 1, "%s has no number", path);
    fclose(file);
    return number;
}

static void set_back(struct user_regs_struct *own, int fd) {
#ifdef __x86_64__
    (void)fd;
    expect((long)own->rax == -EINTR && own->orig_rax == SYS_read, "the registers have %ld of call %ld", (long)own->rax,
           (long)own->orig_rax);
    own->rax = SYS_read;
    own->orig_rax = (unsigned long)-1;
    own->rip -= 2;
#else
    expect((long)own->regs[0] == -EINTR && own->regs[8] == SYS_read, "the registers have %ld of call %ld",
           (long)own->regs[0], (long)own->regs[8]);
    own->regs[0] = (unsigned long)fd;
    own->pc -= 4;
#endif
}

static void begin_again(pid_t pid, int fd) {
    struct user_regs_struct own = {0};
    struct iovec all = {.iov_base = &own, .iov_len = sizeof(own)};
    int status;

    need(ptrace(PTRACE_SEIZE, pid, 0, 0));
    need(ptrace(PTRACE_INTERRUPT, pid, 0, 0));
    need(waitpid(pid, &status, __WALL));
    expect(WIFSTOPPED(status) && status >> 16 == PTRACE_EVENT_STOP, "the stop has status 0x%x", status);
    need(ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &all));
    set_back(&own, fd);
    need(ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &all));
    need(ptrace(PTRACE_DETACH, pid, 0, 0));
}

static void body(void) {
    int ends[2];
    pid_t pid;

    cgroup_make(NULL);
    pid = start_reader(ends);
    cgroup_freeze(NULL, true);
    cgroup_freeze(NULL, false);
    expect(finish(pid) == EINTR, "a read with a timeout goes on by itself");

    pid = start_reader(ends);
    cgroup_freeze(NULL, true);
    expect(call_shown(pid) == SYS_read, "the frozen thread is in call %ld", call_shown(pid));
    begin_again(pid, ends[0]);
    cgroup_freeze(NULL, true);
    cgroup_freeze(NULL, false);
    wait_sleeping_in(pid, SYS_read);
    need(write(ends[1], "x", 1));
    expect(finish(pid) == 'x', "the read did not go on");
    holds("EINTR; and a byte, where it was set back");
}

int main(void) { return check(body); }
