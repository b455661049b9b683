/*
 * owners_ended: looks for the owners of a socket while another process that was found has ended, which is here made to
 * happen between the opening of its folder and the look at it. Linked with --wrap=fdopendir. Ends with 0 where our own
 * descriptor is found all the same.
 */
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lookup/owners.h"

static pid_t victim;

DIR *__real_fdopendir(int folder);

DIR *__wrap_fdopendir(int folder) {
    char link[64], path[64], wanted[64];
    ssize_t length;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", folder);
    snprintf(wanted, sizeof(wanted), "/proc/%d/fd", victim);
    length = readlink(link, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = 0;
    if (strcmp(path, wanted) == 0) {
        kill(victim, SIGKILL);
        waitpid(victim, NULL, 0);
    }
    return __real_fdopendir(folder);
}

int main(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct owner *found = NULL;
    size_t count = 0;
    struct stat stat;

    victim = fork();
    if (victim == 0) {
        close(fd);
        for (;;) pause();
    }
    if (fd < 0 || victim < 0 || fstat(fd, &stat) < 0) return 2;

    const uint32_t inode = (uint32_t)stat.st_ino;
    const pid_t pids[] = {victim, getpid()};
    int result = owners_find(&inode, 1, pids, 2, &found, &count);

    if (kill(victim, 0) == 0) {
        fprintf(stderr, "the other process has not ended\n");
        return 2;
    }
    if (result < 0 || count != 1 || found[0].pid != getpid() || found[0].fd != fd) {
        fprintf(stderr, "owners_find gives %d with %zu owners\n", result, count);
        return 1;
    }
    free(found);
    return 0;
}
