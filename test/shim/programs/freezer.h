/* Freezes and thaws a process from outside, with ptrace and with a cgroup v2. */
#ifndef SHIM_TEST_FREEZER_H
#define SHIM_TEST_FREEZER_H

#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "check.h"

/* Returns the letter in /proc/PID/stat. */
static char task_state(pid_t pid) {
    char path[64], text[256];
    int fd;

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    ssize_t length = read(fd, text, sizeof text - 1);
    CHECK(length > 0);
    close(fd);
    text[length] = 0;
    return strrchr(text, ')')[2];
}

static void until_asleep(pid_t child) {
    while (task_state(child) != 'S') sched_yield();
}

static void freeze_by_ptrace(pid_t child, int restore, int handled) {
    struct user_regs_struct registers;
    int status;

    CHECK(ptrace(PTRACE_SEIZE, child, 0, 0) == 0 && ptrace(PTRACE_INTERRUPT, child, 0, 0) == 0);
    CHECK(waitpid(child, &status, __WALL) == child && WIFSTOPPED(status));
    if (restore) {
        CHECK(ptrace(PTRACE_GETREGS, child, 0, &registers) == 0);
        if ((long)registers.rax == -516 /* ERESTART_RESTARTBLOCK */) {
            registers.rax = (unsigned long)-EINTR;
            registers.orig_rax = (unsigned long)-1;
            CHECK(ptrace(PTRACE_SETREGS, child, 0, &registers) == 0);
        }
    }
    if (handled) CHECK(kill(child, SIGUSR2) == 0);
    CHECK(ptrace(PTRACE_DETACH, child, 0, 0) == 0);
}

static void write_to(const char *folder, const char *file, const char *text) {
    char path[512];
    int fd;

    snprintf(path, sizeof path, "%s/%s", folder, file);
    fd = open(path, O_WRONLY);
    CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void cgroup_folder(char *folder, size_t size) {
    char line[512], mounted[256], kind[64];
    FILE *mounts = fopen("/proc/mounts", "r");

    CHECK(mounts);
    while (fgets(line, sizeof line, mounts))
        if (sscanf(line, "%*s %255s %63s", mounted, kind) == 2 && strcmp(kind, "cgroup2") == 0) break;
    fclose(mounts);
    CHECK(strcmp(kind, "cgroup2") == 0);
    snprintf(folder, size, "%s/migrun-shim-test-%d", mounted, getpid());
}

static int is_frozen_group(const char *folder) {
    char path[512], text[256];
    int fd;

    snprintf(path, sizeof path, "%s/cgroup.events", folder);
    fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length < 0 ? 0 : length] = 0;
    return strstr(text, "frozen 1") != NULL;
}

static void freeze_by_cgroup(pid_t child, int handled) {
    char folder[320], number[16];

    cgroup_folder(folder, sizeof folder);
    CHECK(mkdir(folder, 0755) == 0);
    snprintf(number, sizeof number, "%d", child);
    write_to(folder, "cgroup.procs", number);
    write_to(folder, "cgroup.freeze", "1");
    while (!is_frozen_group(folder)) sched_yield();
    if (handled) CHECK(kill(child, SIGUSR2) == 0);
    write_to(folder, "cgroup.freeze", "0");
}

/* For when its process has ended, which the cgroup sees a moment later than who waits for the process. */
static void remove_cgroup(void) {
    char folder[320];

    cgroup_folder(folder, sizeof folder);
    while (rmdir(folder) < 0 && errno == EBUSY) sched_yield();
}

#endif
