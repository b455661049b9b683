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
 * Init does not keep the program's own ends, so that end of file and EPIPE mean what they always mean. Nor does it stay
 * in the program's working directory (src/program/record.ts).
 *
 * Functions return 0 or -errno where nothing else is said.
 */
#include "init/init.h"

#include "../../preload/registry/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FD_REPORT = 3,
    FD_STDIN_WRITE = 4,
    FD_STDOUT_READ = 5,
    FD_STDERR_READ = 6,
    /* High enough to be out of the way, low enough not to grow the descriptor table. */
    FD_CEILING = 1024,
    /* Exit statuses: of a step before the program's, and what a shell gives for a program that it cannot execute. */
    EXIT_FAILED = 125,
    EXIT_NOT_EXECUTED = 126,
    EXIT_NOT_FOUND = 127,
};

struct options {
    const char *cgroup;
    const char *directory;
    const char *preload;
    int terminal;
    char **command;
};

/* `result` is 0 or -errno. */
static void report(pid_t pid, enum init_step step, int result) {
    const struct init_report one = {.pid = pid, .step = step, .error = -result};
    ssize_t written;

    do written = write(FD_REPORT, &one, sizeof one);
    while (written < 0 && errno == EINTR);
}

static int join_cgroup(const char *cgroup) {
    char path[4096];
    int fd, result = 0;

    snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return -errno;
    if (write(fd, "0", 1) != 1) result = -errno;
    close(fd);
    return result;
}

/* Moves fd to `to`, where it is inherited over exec. */
static int move_fd(int fd, int to) {
    int result = dup2(fd, to) < 0 ? -errno : 0;

    close(fd);
    return result;
}

/* An empty registry in a memfd: its descriptor or -errno. */
static int make_memory(void) {
    int fd = memfd_create(REGISTRY_MEMFD_NAME, MFD_ALLOW_SEALING), result;
    void *map = MAP_FAILED;

    if (fd < 0) return -errno;
    if (ftruncate(fd, REGISTRY_SIZE) < 0) goto fail;
    /* A program that shrank it would kill its supervisor with SIGBUS; the shim makes it grow where many sockets are. */
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) < 0) goto fail;
    map = mmap(NULL, REGISTRY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) goto fail;
    registry_init(map);
    munmap(map, REGISTRY_SIZE);
    return fd;
fail:
    result = -errno;
    close(fd);
    return result;
}

/* Makes the registry and its eventfd, and tells the shim where they are. */
static int make_registry(const char *preload) {
    char fds[32], list[8192];
    const char *others = getenv("LD_PRELOAD");
    struct rlimit limit;
    int memory, event, top, result;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -errno;
    top = limit.rlim_cur < FD_CEILING ? (int)limit.rlim_cur : FD_CEILING;
    if ((memory = make_memory()) < 0) return memory;
    if ((result = move_fd(memory, top - 1)) < 0) return result;
    event = eventfd(0, EFD_NONBLOCK);
    if (event < 0) return -errno;
    if ((result = move_fd(event, top - 2)) < 0) return result;

    snprintf(fds, sizeof fds, "%d,%d", top - 1, top - 2);
    snprintf(list, sizeof list, "%s%s%s", preload, others ? ":" : "", others ? others : "");
    return setenv(REGISTRY_ENV, fds, 1) < 0 || setenv("LD_PRELOAD", list, 1) < 0 ? -errno : 0;
}

/* Becomes the program; returns only on failure, with -errno. */
static int exec_program(const struct options *options, const sigset_t *mask) {
    if (setsid() < 0) return -errno;
    if (options->terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0) return -errno;
    for (int fd = FD_STDIN_WRITE; fd <= FD_STDERR_READ; fd++) close(fd);
    fcntl(FD_REPORT, F_SETFD, FD_CLOEXEC);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(options->command[0], options->command);
    return -errno;
}

static int drop_program_ends(void) {
    int null = open("/dev/null", O_RDWR), result = 0;

    if (null < 0) return -errno;
    for (int fd = STDIN_FILENO; result == 0 && fd <= STDERR_FILENO; fd++)
        if (dup2(null, fd) < 0) result = -errno;
    close(null);
    return result;
}

/* What a terminal sends to a whole group goes to the program's group, anything else to its main process alone. */
static void forward(pid_t program, int number) {
    switch (number) {
    case SIGINT:
    case SIGQUIT:
    case SIGHUP:
    case SIGTSTP:
    case SIGCONT: kill(-program, number); break;
    default: kill(program, number);
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
    int number, status;

    for (;;) {
        number = sigwaitinfo(all, NULL);
        if (number < 0) continue;
        if (number == SIGCHLD) {
            status = reap(program);
            if (status >= 0) return status;
        } else if (number == INIT_SIGNAL_CLOSE_STDIN) {
            close(FD_STDIN_WRITE);
        } else {
            forward(program, number);
        }
    }
}

/* PID 1. Returns the exit status of the namespace. */
static int run_init(const struct options *options) {
    enum init_step step = INIT_STEP_SESSION;
    sigset_t all, before;
    pid_t program;
    int result;

    /* What the shell or the supervisor had open is not the program's, and CRIU could not carry it. */
    close_range(options->terminal ? FD_STDIN_WRITE : FD_STDERR_READ + 1, ~0U, 0);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    if ((result = setsid() < 0 ? -errno : 0) < 0) goto fail;
    step = INIT_STEP_REGISTRY;
    if ((result = make_registry(options->preload)) < 0) goto fail;
    step = INIT_STEP_FORK;
    program = fork();
    if ((result = program < 0 ? -errno : 0) < 0) goto fail;
    if (program == 0) {
        result = exec_program(options, &before);
        report(0, INIT_STEP_EXEC, result);
        _exit(result == -ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTED);
    }
    unsetenv("LD_PRELOAD");
    if ((result = drop_program_ends()) < 0) report(0, INIT_STEP_STDIO, result);
    if (chdir(options->directory) < 0) report(0, INIT_STEP_DIRECTORY, -errno);
    close(FD_REPORT);
    return watch(program, &all);
fail:
    report(0, step, result);
    return EXIT_FAILED;
}

static int parse(int argc, char **argv, struct options *options) {
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--")) {
            options->command = argv + i + 1;
            break;
        }
        if (!strcmp(argv[i], "--terminal"))
            options->terminal = 1;
        else if (!strcmp(argv[i], "--cgroup") && i + 1 < argc)
            options->cgroup = argv[++i];
        else if (!strcmp(argv[i], "--directory") && i + 1 < argc)
            options->directory = argv[++i];
        else if (!strcmp(argv[i], "--preload") && i + 1 < argc)
            options->preload = argv[++i];
        else
            return -EINVAL;
    }
    return options->cgroup && options->directory && options->preload && options->command && options->command[0]
               ? 0
               : -EINVAL;
}

int main(int argc, char **argv) {
    struct options options = {0};
    enum init_step step = INIT_STEP_CGROUP;
    pid_t init = 0;
    int result;

    if (parse(argc, argv, &options) < 0) {
        fprintf(stderr,
                "usage: migrun-init --cgroup DIR --directory DIR --preload LIB [--terminal] -- COMMAND [ARG...]\n");
        return 2;
    }
    if ((result = join_cgroup(options.cgroup)) < 0) goto out;
    step = INIT_STEP_NAMESPACE;
    if ((result = unshare(CLONE_NEWPID) < 0 ? -errno : 0) < 0) goto out;
    init = fork();
    if (init == 0) return run_init(&options);
    step = init < 0 ? INIT_STEP_FORK : INIT_STEP_STARTED;
    if (init < 0) result = -errno;
out:
    report(init, step, result);
    return result < 0 ? EXIT_FAILED : 0;
}
