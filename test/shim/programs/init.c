/* What migrun-init does for a program, and then a count of what the registry still has when the program has ended.
 *
 *   init SHIM PROGRAM [ARGUMENT ...]
 *
 * Ends with the program's status; writes "records N" to stdout. */
#include <sys/eventfd.h>

#include "check.h"

int main(int argc, char **argv) {
    char fds[32];
    int records = 0, status;
    pid_t child;

    CHECK(argc >= 3);
    memory_fd = memfd_create(REGISTRY_MEMFD_NAME, 0);
    CHECK(memory_fd >= 0 && ftruncate(memory_fd, REGISTRY_SIZE) == 0);
    registry = mmap(NULL, REGISTRY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    CHECK(registry != MAP_FAILED);
    registry_init(registry);
    event_fd = eventfd(0, EFD_NONBLOCK);
    CHECK(dup2(memory_fd, 1023) == 1023 && dup2(event_fd, 1022) == 1022);
    close(memory_fd);
    close(event_fd);
    snprintf(fds, sizeof fds, "%d,%d", 1023, 1022);

    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        setenv(REGISTRY_ENV, fds, 1);
        setenv("LD_PRELOAD", argv[1], 1);
        execv(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    CHECK(waitpid(child, &status, 0) == child);
    for (int i = 0; i < (int)REGISTRY_FIRST_SLOTS; i++)
        if (registry_references(atomic_load(&registry->word[i]))) records++;
    printf("records %d\n", records);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
