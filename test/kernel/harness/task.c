#include "task.h"

#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

pid_t start(int (*task)(void *argument), void *argument) {
    pid_t pid = need(fork());

    if (pid) return pid;
    _exit(task(argument));
}

int finish(pid_t pid) {
    int status;

    need(waitpid(pid, &status, 0));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool ends_within(pid_t pid, int milliseconds) {
    struct pollfd poller = {.fd = need(syscall(SYS_pidfd_open, pid, 0)), .events = POLLIN};
    int ended = need(poll(&poller, 1, milliseconds));

    close(poller.fd);
    return ended;
}

static void read_file(const char *path, char *text, size_t size) {
    int fd = need(open(path, O_RDONLY | O_CLOEXEC));
    ssize_t got = need(read(fd, text, size - 1));

    text[got] = '\0';
    close(fd);
}

/* The kernel tells nobody that a process sleeps: look again each millisecond, the time limit ends it. */
static void look_again(void) { nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL); }

static char state_of(pid_t pid) {
    char path[64], text[512];

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    read_file(path, text, sizeof(text));
    return strrchr(text, ')')[2];
}

void wait_sleeping_in(pid_t pid, long call) {
    char path[64], text[256];

    snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
    for (;; look_again()) {
        expect(state_of(pid) != 'Z', "a process ended that was to block in call %ld", call);
        read_file(path, text, sizeof(text));
        if (strncmp(text, "running", 7) && state_of(pid) == 'S' && (call == -1 || strtol(text, NULL, 10) == call))
            return;
    }
}

static void cgroup_path(char *path, size_t size, const char *name, const char *file) {
    snprintf(path, size, "%s%s%s%s%s", cgroup_folder(), name ? "/" : "", name ? name : "", file ? "/" : "",
             file ? file : "");
}

static void cgroup_write(const char *name, const char *file, const char *text) {
    char path[512];
    int fd;

    cgroup_path(path, sizeof(path), name, file);
    fd = need(open(path, O_WRONLY | O_CLOEXEC));
    need(write(fd, text, strlen(text)));
    close(fd);
}

void cgroup_make(const char *name) {
    char path[512];

    if (name && mkdir(cgroup_folder(), 0755) && errno != EEXIST)
        missing("a cgroup cannot be made: %s", strerror(errno));
    cgroup_path(path, sizeof(path), name, NULL);
    if (mkdir(path, 0755)) missing("a cgroup cannot be made: %s", strerror(errno));
}

void cgroup_enter(const char *name, pid_t pid) {
    char text[16];

    snprintf(text, sizeof(text), "%d", pid);
    cgroup_write(name, "cgroup.procs", text);
}

int cgroup_count(const char *name) {
    char path[512];
    int count = 0, member;
    FILE *procs;

    cgroup_path(path, sizeof(path), name, "cgroup.procs");
    procs = fopen(path, "re");
    expect(procs, "%s: %s", path, strerror(errno));
    while (fscanf(procs, "%d", &member) == 1) count++;
    fclose(procs);
    return count;
}

bool cgroup_is_frozen(const char *name) {
    char path[512], text[256];

    cgroup_path(path, sizeof(path), name, "cgroup.events");
    read_file(path, text, sizeof(text));
    return strstr(text, "frozen 1");
}

void cgroup_freeze(const char *name, bool frozen) {
    char path[512], text[256];
    struct pollfd poller = {.events = POLLPRI};

    cgroup_path(path, sizeof(path), name, "cgroup.events");
    poller.fd = need(open(path, O_RDONLY | O_CLOEXEC));
    cgroup_write(name, "cgroup.freeze", frozen ? "1" : "0");
    for (;;) {
        text[need(pread(poller.fd, text, sizeof(text) - 1, 0))] = '\0';
        if (!strstr(text, "frozen 1") == !frozen) break;
        need(poll(&poller, 1, -1));
    }
    close(poller.fd);
}

void cgroup_kill(const char *name) { cgroup_write(name, "cgroup.kill", "1"); }

int peek_int(pid_t pid, const volatile int *address) {
    int value;
    struct iovec here = {&value, sizeof(value)}, there = {(void *)address, sizeof(value)};

    expect(need(process_vm_readv(pid, &here, 1, &there, 1, 0)) == sizeof(value), "memory of process %d read short",
           pid);
    return value;
}
