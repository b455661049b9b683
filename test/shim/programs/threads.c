/* Threads that open, copy and close at the same time, while another forks: no reference too few, none left behind. */
#include <pthread.h>

#include "check.h"

#define THREADS 4
#define ROUNDS 2000

static atomic_int running = THREADS;

static void *work(void *unused) {
    for (int i = 0; i < ROUNDS; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0), copy = dup(fd), other = socket(AF_INET6, SOCK_DGRAM, 0);
        CHECK(fd >= 0 && copy >= 0 && other >= 0);
        CHECK(references(fd) >= 2);
        CHECK(close(fd) == 0);
        CHECK(references(copy) >= 1);
        CHECK(dup2(other, copy) == copy);
        CHECK(references(copy) >= 2);
        CHECK(close(copy) == 0 && close(other) == 0);
    }
    atomic_fetch_sub(&running, 1);
    return unused;
}

int main(int argc, char **argv) {
    pthread_t threads[THREADS];
    int fork_too = argc == 2 && strcmp(argv[1], "fork") == 0;
    int kept;

    registry_open();
    kept = OK(socket(AF_INET, SOCK_STREAM, 0));
    for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
    while (fork_too && atomic_load(&running)) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) _exit(references(kept) == 2 ? 0 : 1);
        succeeds(child);
    }
    for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(references(kept) == 1);
    return 0;
}
