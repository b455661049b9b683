/*
 * A call that is under way when the program is frozen and thawed.
 *
 *   interrupted SHIM CASE ptrace|cgroup|restore told|untold|handled
 *
 * This process freezes; its child, under the shim, is in the call. "restore" does with ptrace to the stopped call what
 * CRIU does (compel: a call with a restart block returns EINTR). "untold" leaves the registry's count of freezes alone, which
 * shows what the program would see without the shim; "handled" runs a handler of the program as well.
 *
 * Writes "RESULT ERRNO MILLISECONDS" of the call.
 */
#include <signal.h>
#include <time.h>

#include "calls_in_progress.h"
#include "check.h"
#include "freezer.h"

static void on_signal(int number) { (void)number; }

static int case_of(const char *name) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (strcmp(cases[i].name, name) == 0) return (int)i;
    fprintf(stderr, "no case %s\n", name);
    exit(1);
}

/* Is the child, with the arguments CASE NEAR_END SEMAPHORES REPORT. */
static int in_call(char **argv) {
    struct sigaction handler = {.sa_handler = on_signal};
    struct timespec start, end;
    int which = case_of(argv[0]), report = atoi(argv[3]);

    near_end = atoi(argv[1]);
    semaphores = atoi(argv[2]);
    sem_init(&semaphore, 0, 0);
    fill_bulk();
    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    if (cases[which].end == by_signal) sigprocmask(SIG_BLOCK, &usr1, NULL);
    CHECK(sigaction(SIGUSR2, &handler, NULL) == 0);
    dprintf(report, "r");
    clock_gettime(CLOCK_MONOTONIC, &start);
    errno = 0;
    long result = cases[which].call();
    int error = errno;
    clock_gettime(CLOCK_MONOTONIC, &end);
    dprintf(report, "%ld %d %ld\n", result, error,
            (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000);
    return 0;
}

static pid_t start(char *self, const char *shim, char *name, int report) {
    char near[16], semaphore_set[16], report_fd[16];
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid) return pid;
    close(far_end);
    snprintf(near, sizeof near, "%d", near_end);
    snprintf(semaphore_set, sizeof semaphore_set, "%d", semaphores);
    snprintf(report_fd, sizeof report_fd, "%d", report);
    go_under(shim);
    execl(self, self, "call", name, near, semaphore_set, report_fd, (char *)NULL);
    _exit(127);
}

/* For some cases the near end has a receive timeout, a long one, so that a stop makes its calls return EINTR (signal(7)). */
static void connect_ends(const char *name) {
    struct timeval timeout = {.tv_sec = 60};
    int ends[2];

    tcp_pair(ends);
    if (strcmp(name, "read") == 0 || strcmp(name, "recv") == 0 || strcmp(name, "recvmsg") == 0)
        CHECK(setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0);
    near_end = ends[0];
    far_end = ends[1];
}

static pid_t child;

static void clean_up(void) {
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    remove_cgroup();
    semctl(semaphores, 0, IPC_RMID);
}

int main(int argc, char **argv) {
    char answer[64];
    int report[2];

    if (argc == 6 && strcmp(argv[1], "call") == 0) return in_call(argv + 2);
    CHECK(argc == 5);
    int which = case_of(argv[2]), told = strcmp(argv[4], "untold") != 0, handled = strcmp(argv[4], "handled") == 0;

    registry_make();
    connect_ends(argv[2]);
    semaphores = semget(IPC_PRIVATE, 1, 0600);
    CHECK(semaphores >= 0 && atexit(clean_up) == 0 && pipe(report) == 0);
    if (cases[which].end == by_rest || cases[which].end == by_mark) CHECK(write(far_end, small, 3) == 3);
    child = start(argv[0], argv[1], argv[2], report[1]);
    close(report[1]);
    close(near_end);
    CHECK(read(report[0], answer, 1) == 1);
    until_asleep(child);

    if (told) atomic_fetch_add(&registry->freezes, 1);
    if (strcmp(argv[3], "cgroup") == 0)
        freeze_by_cgroup(child, handled);
    else
        freeze_by_ptrace(child, strcmp(argv[3], "restore") == 0, handled);
    if (told) atomic_fetch_add(&registry->freezes, 1);

    /* A call that goes on waits for its end; one that does not has answered already. */
    while (task_state(child) != 'S' && task_state(child) != 'Z') sched_yield();
    cases[which].end(child);
    ssize_t length = read(report[0], answer, sizeof answer - 1);
    CHECK(length > 0);
    answer[length] = 0;
    fputs(answer, stdout);
    return 0;
}
