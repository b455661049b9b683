/* Starts a program as migrun-init does, and counts what the registry still has when it has ended.
 *
 *   init SHIM PROGRAM [ARGUMENT ...]
 *
 * Ends with the program's status; writes "records N" to stdout. */
#include "check.h"

int main(int argc, char **argv) {
    int records = 0, status;
    pid_t child;

    CHECK(argc >= 3);
    registry_make();

    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        go_under(argv[1]);
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
