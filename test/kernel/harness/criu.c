#include "criu.h"

#include "result.h"
#include "task.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *criu_path(void) {
    const char *path = getenv("MIGRUN_CRIU");

    if (!path || !*path) path = "/var/lib/migrun/criu/criu";
    if (access(path, X_OK)) missing("no criu: %s: %s", path, strerror(errno));
    return path;
}

static const char *in_folder(const char *name) {
    static char paths[4][128];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", work_folder(), name);
    return path;
}

static void quiet(void) {
    int null = open("/dev/null", O_RDWR);

    for (int fd = 0; fd < 3; fd++) dup2(null, fd);
    if (null > 2) close(null);
}

pid_t criu_start(const char *const *arguments) {
    const char *path = criu_path();
    const char *all[48] = {path};
    pid_t pid;
    int count = 1;

    while (*arguments) all[count++] = *arguments++;
    pid = need(fork());
    if (pid) return pid;
    quiet();
    execv(path, (char *const *)all);
    _exit(127);
}

/* Copies the end of criu's log to stderr. */
static void show_log(const char *name) {
    char path[256], text[4096];
    int fd;
    ssize_t got;

    snprintf(path, sizeof(path), "%s/%s", in_folder("images"), name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    lseek(fd, -(off_t)sizeof(text), SEEK_END);
    while ((got = read(fd, text, sizeof(text))) > 0 && write(STDERR_FILENO, text, got) == got)
        ;
    close(fd);
}

void criu_finish(pid_t criu, const char *log) {
    int status = finish(criu);

    if (status) show_log(log);
    expect(!status, "criu ends with %d, see %s", status, log);
}

void criu_dump(pid_t pid, const char *frozen_cgroup) {
    char root[16], cgroup[512];

    snprintf(root, sizeof(root), "%d", pid);
    snprintf(cgroup, sizeof(cgroup), "%s%s%s", cgroup_folder(), frozen_cgroup ? "/" : "",
             frozen_cgroup ? frozen_cgroup : "");
    if (mkdir(in_folder("images"), 0700)) need(errno == EEXIST ? 0 : -1);
    criu_finish(criu_start((const char *[]){"dump", "-t", root, "-D", in_folder("images"), "-o", "dump.log", "-v4",
                                            "--tcp-close", "--network-lock", "skip", "--leave-running",
                                            "--freeze-cgroup", cgroup, "--manage-cgroups=ignore", NULL}),
                "dump.log");
}

static pid_t read_pid(const char *path) {
    FILE *file = fopen(path, "re");
    int pid = -1;

    expect(file && fscanf(file, "%d", &pid) == 1, "no PID in %s", path);
    fclose(file);
    return pid;
}

pid_t criu_restore(void) {
    unlink(in_folder("pid"));
    criu_finish(criu_start((const char *[]){"restore", "-D", in_folder("images"), "-o", "restore.log", "-v4",
                                            "--tcp-close", "--restore-detached", "--manage-cgroups=ignore", "--pidfile",
                                            in_folder("pid"), NULL}),
                "restore.log");
    return read_pid(in_folder("pid"));
}

/* criu tells its script of each stage and waits for its end. */
static void write_script(void) {
    FILE *script = fopen(in_folder("script"), "we");

    expect(script, "the script cannot be written: %s", strerror(errno));
    fprintf(script,
            "#!/bin/sh\n"
            "[ \"$CRTOOLS_SCRIPT_ACTION\" = pre-resume ] || exit 0\n"
            "echo $CRTOOLS_INIT_PID >%s/held\n"
            "read word <%s/go\n",
            work_folder(), work_folder());
    fclose(script);
    need(chmod(in_folder("script"), 0700));
    need(mkfifo(in_folder("held"), 0600));
    need(mkfifo(in_folder("go"), 0600));
}

struct criu_restore criu_restore_held(void) {
    struct criu_restore restore;
    char text[16] = "";
    int held;

    write_script();
    held = need(open(in_folder("held"), O_RDWR | O_CLOEXEC));
    restore.go = need(open(in_folder("go"), O_RDWR | O_CLOEXEC));
    restore.criu = criu_start((const char *[]){"restore", "-D", in_folder("images"), "-o", "restore.log", "-v4",
                                               "--tcp-close", "--restore-detached", "--manage-cgroups=ignore",
                                               "--action-script", in_folder("script"), NULL});
    need(read(held, text, sizeof(text) - 1));
    close(held);
    restore.root = atoi(text);
    expect(restore.root > 0, "criu names no PID in its pre-resume stage");
    return restore;
}

void criu_release(struct criu_restore *restore) {
    need(write(restore->go, "go\n", 3));
    criu_finish(restore->criu, "restore.log");
    close(restore->go);
}

static void close_all_but(struct fds keep) {
    if (keep.first > 3) close_range(3, keep.first - 1, 0);
    close_range(keep.last + 1, ~0u, 0);
}

int fd_of(pid_t pid, int fd) {
    int pidfd = need(syscall(SYS_pidfd_open, pid, 0)), own = need(syscall(SYS_pidfd_getfd, pidfd, fd, 0));

    close(pidfd);
    return own;
}

pid_t start_program(int (*task)(void *argument), void *argument, struct fds keep) {
    int inside[2], ready[2]; /* each tells by its end */
    char none;
    pid_t pid;

    cgroup_make(NULL);
    need(pipe(inside));
    need(pipe(ready));
    pid = need(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, NULL, NULL, NULL, 0));
    if (pid) {
        close(inside[0]);
        close(ready[1]);
        cgroup_enter(NULL, pid);
        close(inside[1]);
        need(read(ready[0], &none, 1));
        close(ready[0]);
        return pid;
    }
    close(inside[1]);
    if (read(inside[0], &none, 1)) _exit(1);
    setsid();
    quiet();
    close_all_but(keep);
    _exit(task(argument));
}
