/*
 * Measures what the shim costs: a request-response loop and a bulk stream over loopback TCP, with and without it.
 *
 *   speed SHIM [ROUNDS]
 *
 * Runs are short, interleaved, and each is a pair of processes on one CPU, so that both variants meet the same noise and
 * no wake-up goes to a sleeping core. Writes one line for each: medians of CPU time and their ratio, the ratio of the lower
 * quartiles, and the median ratio of neighbouring runs.
 */
#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "check.h"

#define REQUESTS 2000
#define CHUNK (64 << 10)
#define CHUNKS 800
#define ROUNDS_MAX 1001

static char buffer[CHUNK];

static double seconds(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

/* Returns the CPU time of this process and its finished children, which other work on the machine disturbs less than the
 * clock's. */
static double now(void) {
    struct rusage own, children;

    CHECK(getrusage(RUSAGE_SELF, &own) == 0 && getrusage(RUSAGE_CHILDREN, &children) == 0);
    return seconds(own.ru_utime) + seconds(own.ru_stime) + seconds(children.ru_utime) + seconds(children.ru_stime);
}

static void receive_all(int fd, size_t size) {
    while (size) {
        ssize_t part = recv(fd, buffer, size < CHUNK ? size : CHUNK, 0);
        CHECK(part > 0);
        size -= (size_t)part;
    }
}

static void request_response(int fd, int near) {
    for (int i = 0; i < REQUESTS; i++) {
        if (near) CHECK(send(fd, buffer, 64, 0) == 64);
        receive_all(fd, 64);
        if (!near) CHECK(send(fd, buffer, 64, 0) == 64);
    }
}

static void bulk(int fd, int near) {
    if (!near) {
        receive_all(fd, (size_t)CHUNK * CHUNKS);
        CHECK(send(fd, buffer, 1, 0) == 1);
        return;
    }
    for (int i = 0; i < CHUNKS; i++) CHECK(send(fd, buffer, CHUNK, 0) == CHUNK);
    receive_all(fd, 1);
}

static int measured(const char *kind, int report) {
    void (*run)(int fd, int near) = strcmp(kind, "bulk") == 0 ? bulk : request_response;
    int ends[2];
    pid_t child;
    double start, spent;

    tcp_pair(ends);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        run(ends[1], 0);
        _exit(0);
    }
    start = now();
    run(ends[0], 1);
    succeeds(child);
    spent = now() - start;
    CHECK(write(report, &spent, sizeof spent) == sizeof spent);
    return 0;
}

static double trial(char *self, const char *shim, char *kind) {
    char number[16];
    double spent;
    int report[2];
    pid_t child;

    CHECK(pipe(report) == 0);
    snprintf(number, sizeof number, "%d", report[1]);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (shim) go_under(shim);
        execl(self, self, "run", kind, number, (char *)NULL);
        _exit(127);
    }
    succeeds(child);
    CHECK(read(report[0], &spent, sizeof spent) == sizeof spent);
    close(report[0]);
    close(report[1]);
    return spent;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void compare(char *self, const char *shim, char *kind, int rounds) {
    static double plain[ROUNDS_MAX], under[ROUNDS_MAX], ratio[ROUNDS_MAX];

    for (int i = 0; i < rounds; i++) {
        /* Who comes first alternates. */
        if (i & 1) under[i] = trial(self, shim, kind);
        plain[i] = trial(self, NULL, kind);
        if (!(i & 1)) under[i] = trial(self, shim, kind);
        ratio[i] = under[i] / plain[i];
    }
    qsort(plain, (size_t)rounds, sizeof *plain, ascending);
    qsort(under, (size_t)rounds, sizeof *under, ascending);
    qsort(ratio, (size_t)rounds, sizeof *ratio, ascending);
    printf("%s: plain %.2f ms, shim %.2f ms, ratio %.4f; of lower quartiles %.4f; of pairs %.4f\n", kind,
           plain[rounds / 2] * 1e3, under[rounds / 2] * 1e3, under[rounds / 2] / plain[rounds / 2],
           under[rounds / 4] / plain[rounds / 4], ratio[rounds / 2]);
}

int main(int argc, char **argv) {
    cpu_set_t one;
    int rounds;

    if (argc == 4 && strcmp(argv[1], "run") == 0) return measured(argv[2], atoi(argv[3]));
    CHECK(argc == 2 || argc == 3);
    rounds = argc == 3 ? atoi(argv[2]) : 201;
    CHECK(rounds > 0 && rounds <= ROUNDS_MAX);
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    CHECK(sched_setaffinity(0, sizeof one, &one) == 0);

    registry_make();
    compare(argv[0], argv[1], "request-response", rounds);
    compare(argv[0], argv[1], "bulk", rounds);
    return 0;
}
