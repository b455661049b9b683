/*
 * migrun-init: PID 1 of a program's PID namespace.
 *
 * Theory of operation
 *
 * The supervisor starts this program with these descriptors:
 *
 *   0 1 2   what the program shall have as stdin, stdout and stderr
 *   3       report pipe: one struct init_report, then closed
 *   4 5 6   the far ends of the three pipes (not with --terminal)
 *
 * It joins the program's cgroup, makes a PID namespace and forks; the first process of the namespace stays as
 * init. Init makes the registry and its eventfd at high descriptors that every process of the program inherits,
 * forks the program as a session leader and then only reaps, forwards signals and leaves with the program's status.
 *
 * Init keeps the far ends of the pipes for two reasons. Both ends being inside the tree, CRIU carries a pipe
 * together with the bytes in it, and whoever supervises the program next takes the ends from init with
 * pidfd_getfd(2). And when a supervisor dies, a write of the program finds a reader's end and waits, where it would
 * have been killed by SIGPIPE.
 *
 * Init does not keep the program's own ends: end of file and EPIPE mean what they always mean. Nor does it stay in the
 * program's working directory (src/program/init-directory.ts).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../preload/registry.h"
#include "init/init.h"

enum {
    FD_REPORT = 3,
    FD_STDIN_WRITE = 4,
    FD_STDOUT_READ = 5,
    FD_STDERR_READ = 6,
    /* High enough to be out of the way, low enough not to grow the descriptor table. */
    FD_CEILING = 1024,
};

struct options {
    const char *cgroup;
    const char *directory;
    const char *preload;
    int terminal;
    char **command;
};

static void report(pid_t pid, enum init_step step, int error) {
    struct init_report r = {.pid = pid, .step = step, .error = error};
    ssize_t n;

    do n = write(FD_REPORT, &r, sizeof(r));
    while (n < 0 && errno == EINTR);
}

static int join_cgroup(const char *cgroup) {
    char path[4096];
    int fd, ret = 0;

    snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    if (write(fd, "0", 1) != 1) ret = -errno;
    close(fd);
    return ret;
}

/* Moves fd to `to`; returns 0 or -errno. The result is inherited over exec. */
static int move_fd(int fd, int to) {
    int ret = dup2(fd, to) < 0 ? -errno : 0;

    close(fd);
    return ret;
}

/* Makes the registry and its eventfd and tells the shim where they are. Returns 0 or -errno. */
static int make_registry(const char *preload) {
    char fds[32], list[8192];
    const char *others = getenv("LD_PRELOAD");
    struct rlimit limit;
    int memory, event, top, ret;
    void *map;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    top = limit.rlim_cur < FD_CEILING ? (int)limit.rlim_cur : FD_CEILING;

    memory = memfd_create(REGISTRY_MEMFD_NAME, MFD_ALLOW_SEALING);
    if (memory < 0 || ftruncate(memory, REGISTRY_SIZE) < 0) return -errno;
    /* A program that shrank it would kill its supervisor with SIGBUS; the shim makes it grow where many sockets are. */
    if (fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) < 0) return -errno;
    map = mmap(NULL, REGISTRY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (map == MAP_FAILED) return -errno;
    registry_init(map);
    munmap(map, REGISTRY_SIZE);

    event = eventfd(0, EFD_NONBLOCK);
    if (event < 0) return -errno;

    ret = move_fd(memory, top - 1);
    if (!ret) ret = move_fd(event, top - 2);
    if (ret) return ret;

    snprintf(fds, sizeof(fds), "%d,%d", top - 1, top - 2);
    snprintf(list, sizeof(list), "%s%s%s", preload, others ? ":" : "", others ? others : "");
    if (setenv(REGISTRY_ENV, fds, 1) < 0 || setenv("LD_PRELOAD", list, 1) < 0) return -errno;
    return 0;
}

/* Becomes the program; returns only on failure, with -errno. */
static int exec_program(const struct options *o, const sigset_t *mask) {
    int fd;

    if (setsid() < 0) return -errno;
    if (o->terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0) return -errno;
    for (fd = FD_STDIN_WRITE; fd <= FD_STDERR_READ; fd++) close(fd);
    fcntl(FD_REPORT, F_SETFD, FD_CLOEXEC);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(o->command[0], o->command);
    return -errno;
}

static int drop_program_ends(void) {
    int fd, null = open("/dev/null", O_RDWR);

    if (null < 0) return -errno;
    for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (dup2(null, fd) < 0) return -errno;
    return close(null) < 0 ? -errno : 0;
}

/* What a terminal sends to a whole group goes to the program's group, anything else to its main process alone. */
static void forward(pid_t program, int signo) {
    switch (signo) {
    case SIGINT:
    case SIGQUIT:
    case SIGHUP:
    case SIGTSTP:
    case SIGCONT: kill(-program, signo); break;
    default: kill(program, signo);
    }
}

/* Reaps whatever ended; returns the program's exit status once it is among them, else -1. */
static int reap(pid_t program) {
    int status, result = -1;
    pid_t pid;

    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid != program) continue;
        result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    return result;
}

static int watch(pid_t program, const sigset_t *all) {
    int signo, status;

    for (;;) {
        signo = sigwaitinfo(all, NULL);
        if (signo < 0) continue;
        if (signo == SIGCHLD) {
            status = reap(program);
            if (status >= 0) return status;
        } else if (signo == INIT_SIGNAL_CLOSE_STDIN) {
            close(FD_STDIN_WRITE);
        } else {
            forward(program, signo);
        }
    }
}

/* PID 1. Returns the exit status of the namespace. */
static int run_init(const struct options *o) {
    sigset_t all, old;
    pid_t program;
    int ret;

    /* What the shell or the supervisor had open is not the program's, and CRIU could not carry it. */
    close_range(o->terminal ? FD_STDIN_WRITE : FD_STDERR_READ + 1, ~0U, 0);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);

    if (setsid() < 0) {
        report(0, INIT_STEP_SESSION, errno);
        return 125;
    }
    ret = make_registry(o->preload);
    if (ret) {
        report(0, INIT_STEP_REGISTRY, -ret);
        return 125;
    }

    program = fork();
    if (program < 0) {
        report(0, INIT_STEP_FORK, errno);
        return 125;
    }
    if (program == 0) {
        ret = exec_program(o, &old);
        report(0, INIT_STEP_EXEC, -ret);
        _exit(ret == -ENOENT ? 127 : 126);
    }

    unsetenv("LD_PRELOAD");
    ret = drop_program_ends();
    if (ret) report(0, INIT_STEP_STDIO, -ret);
    if (chdir(o->directory) < 0) report(0, INIT_STEP_DIRECTORY, errno);
    close(FD_REPORT);
    return watch(program, &all);
}

static int parse(int argc, char **argv, struct options *o) {
    int i;

    for (i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--")) {
            o->command = argv + i + 1;
            break;
        }
        if (!strcmp(argv[i], "--terminal"))
            o->terminal = 1;
        else if (!strcmp(argv[i], "--cgroup") && i + 1 < argc)
            o->cgroup = argv[++i];
        else if (!strcmp(argv[i], "--directory") && i + 1 < argc)
            o->directory = argv[++i];
        else if (!strcmp(argv[i], "--preload") && i + 1 < argc)
            o->preload = argv[++i];
        else
            return -EINVAL;
    }
    return o->cgroup && o->directory && o->preload && o->command && o->command[0] ? 0 : -EINVAL;
}

int main(int argc, char **argv) {
    struct options o = {0};
    pid_t init;
    int ret;

    if (parse(argc, argv, &o)) {
        fprintf(stderr,
                "usage: migrun-init --cgroup DIR --directory DIR --preload LIB [--terminal] -- COMMAND [ARG...]\n");
        return 2;
    }

    ret = join_cgroup(o.cgroup);
    if (ret) {
        report(0, INIT_STEP_CGROUP, -ret);
        return 125;
    }
    if (unshare(CLONE_NEWPID) < 0) {
        report(0, INIT_STEP_NAMESPACE, errno);
        return 125;
    }
    init = fork();
    if (init == 0) return run_init(&o);
    report(init, init < 0 ? INIT_STEP_FORK : INIT_STEP_STARTED, init < 0 ? errno : 0);
    return init < 0 ? 125 : 0;
}
