#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mntent.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TIME_LIMIT_S = 40, LINE_SIZE = 512, REPORT_FD = 100 };

#define BODY_VARIABLE "MIGRUN_KERNEL_TEST_BODY"

static int report_fd = -1;
static char folder[64];
static char cgroup[256];

static _Noreturn void end(int code, const char *line, int length) {
    if (length >= LINE_SIZE) length = LINE_SIZE - 1;
    if (write(report_fd, line, length) != length) code = DIFFERS;
    _exit(code);
}

#define END(code, format)                                     \
    do {                                                      \
        char line[LINE_SIZE];                                 \
        va_list args;                                         \
        int length;                                           \
                                                              \
        va_start(args, format);                               \
        length = vsnprintf(line, sizeof(line), format, args); \
        va_end(args);                                         \
        end(code, line, length);                              \
    } while (0)

void holds(const char *seen, ...) { END(HOLDS, seen); }
void differs(const char *seen, ...) { END(DIFFERS, seen); }
void missing(const char *what, ...) { END(MISSING, what); }

long need_result(long result, const char *call, const char *file, int line) {
    if (result < 0)
        differs("%s:%d: %s: %s", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line, call, strerror(errno));
    return result;
}

const char *work_folder(void) { return folder; }

static void find_cgroup2(void) {
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    struct mntent *mount;

    while (mounts && (mount = getmntent(mounts)))
        if (!strcmp(mount->mnt_type, "cgroup2")) {
            snprintf(cgroup, sizeof(cgroup), "%s/migrun-kernel-test-%d", mount->mnt_dir, getpid());
            break;
        }
    if (mounts) endmntent(mounts);
}

const char *cgroup_folder(void) {
    if (!cgroup[0]) missing("no cgroup2 is mounted");
    return cgroup;
}

static int remove_file(const char *path, const struct stat *info, int type, struct FTW *position) {
    (void)info, (void)type, (void)position;
    return remove(path);
}

/* Only the folders of a cgroup can be removed, its files go with them; the kernel empties it a moment
 * after the last exit. */
static int remove_cgroup(const char *path, const struct stat *info, int type, struct FTW *position) {
    (void)info, (void)position;
    if (type != FTW_DP) return 0;
    for (int tries = 0; rmdir(path) && errno == EBUSY && tries < 1000; tries++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return 0;
}

/* Executes this program anew as the body, in the new process: criu looks every mapped file up in the mount namespace,
 * and those of the forked process are of the one outside. */
static void start_body(int family, int report) {
    char program[4096], value[8 + sizeof(folder) + sizeof(cgroup)];
    ssize_t length = need(readlink("/proc/self/exe", program, sizeof(program) - 1));
    sigset_t none;

    program[length] = '\0';
    report_fd = need(dup2(report, REPORT_FD));
    snprintf(value, sizeof(value), "%d %s %s", family, folder, cgroup);
    need(setenv(BODY_VARIABLE, value, 1));
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    need(prctl(PR_SET_PDEATHSIG, SIGKILL));
    need(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
    need(mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
    need(execl(program, program, NULL));
}

/* Becomes the body that start_body() prepared. Returns at once where this is the process outside. */
static void be_body(void (*body)(void), void (*family_body)(int)) {
    const char *value = getenv(BODY_VARIABLE);
    int family = 0;

    if (!value) return;
    report_fd = REPORT_FD;
    need(fcntl(report_fd, F_SETFD, FD_CLOEXEC));
    signal(SIGPIPE, SIG_IGN);
    if (sscanf(value, "%d %63s %255s", &family, folder, cgroup) < 2) differs("%s: %s", BODY_VARIABLE, value);
    unsetenv(BODY_VARIABLE);
    if (body)
        body();
    else
        family_body(family);
    differs("the body ended without a word");
}

/* Waits for the body, kills it at the time limit or where this process is told to end. */
static int wait_body(pid_t pid, const sigset_t *signals, char *line) {
    struct timespec limit = {.tv_sec = TIME_LIMIT_S};
    int status, got = sigtimedwait(signals, NULL, &limit);

    if (got != SIGCHLD) {
        kill(pid, SIGKILL);
        snprintf(line, LINE_SIZE, got < 0 ? "not done after %d s" : "told to end (limit %d s)", TIME_LIMIT_S);
    }
    if (waitpid(pid, &status, 0) != pid) return DIFFERS;
    return got == SIGCHLD && WIFEXITED(status) ? WEXITSTATUS(status) : DIFFERS;
}

static int run_body(int family, char *line) {
    int report[2], code = DIFFERS;
    pid_t pid;
    sigset_t signals;
    ssize_t length;

    strcpy(line, "ended without a word");
    snprintf(folder, sizeof(folder), "/tmp/migrun-kernel-test-XXXXXX");
    find_cgroup2();
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (!mkdtemp(folder) || pipe2(report, O_CLOEXEC)) {
        perror("work folder or pipe");
        return DIFFERS;
    }

    /* The body before this one may have ended after its time limit: its SIGCHLD is not this one's. */
    while (sigtimedwait(&signals, NULL, &(struct timespec){0}) == SIGCHLD)
        ;
    pid = syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | SIGCHLD, NULL, NULL, NULL, 0);
    if (!pid) {
        start_body(family, report[1]);
        _exit(DIFFERS);
    }
    close(report[1]);
    if (pid > 0) {
        code = wait_body(pid, &signals, line);
        length = read(report[0], line, LINE_SIZE - 1);
        if (length > 0) line[length] = '\0';
    } else if (errno == EPERM) {
        strcpy(line, "needs root: namespaces cannot be made");
        code = MISSING;
    }
    close(report[0]);
    nftw(folder, remove_file, 8, FTW_DEPTH | FTW_PHYS);
    if (cgroup[0]) nftw(cgroup, remove_cgroup, 8, FTW_DEPTH | FTW_PHYS);
    return code;
}

int check(void (*body)(void)) {
    char line[LINE_SIZE];
    int code;

    be_body(body, NULL);
    code = run_body(0, line);
    puts(line);
    return code;
}

int check_families(void (*body)(int family)) {
    char line4[LINE_SIZE], line6[LINE_SIZE];
    int code4, code6;

    be_body(NULL, body);
    code4 = run_body(AF_INET, line4);
    code6 = run_body(AF_INET6, line6);
    if (strcmp(line4, line6))
        printf("IPv4: %s; IPv6: %s\n", line4, line6);
    else
        printf("IPv4, IPv6: %s\n", line4);
    if (code4 == DIFFERS || code6 == DIFFERS) return DIFFERS;
    return code4 ? code4 : code6;
}
