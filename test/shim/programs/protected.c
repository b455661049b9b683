/* The registry's two descriptors are out of the program's reach, and the next image finds them whatever the program did. */
#include "check.h"

extern char **environ;

/* Is the image after an exec, in which the shim must know the socket 50. The numbers in the environment may be wrong, so
 * this is told the memfd's. */
static int after_exec(const char *memory) {
    registry_open_at(atoi(memory));
    CHECK(references(50) == 2);
    OK(dup2(50, 60));
    CHECK(references(50) == 3);
    FAILS(close(atoi(memory)), EBADF);
    FAILS(close(atoi(memory) - 1), EBADF);
    return 0;
}

/* Executes this program in a child, which has the socket 50 beside this process; with `clear`, without an environment. */
static void exec_finds(const char *self, int memory, int clear) {
    char number[16], preload[4096];
    char *arguments[] = {(char *)(uintptr_t)self, "after", number, NULL};
    char *environment[] = {preload, NULL};
    pid_t child;

    snprintf(number, sizeof number, "%d", memory);
    snprintf(preload, sizeof preload, "LD_PRELOAD=%s", getenv("LD_PRELOAD"));
    child = OK(fork());
    if (child == 0) {
        execve(self, arguments, clear ? environment : environ);
        _exit(127);
    }
    succeeds(child);
    CHECK(references(50) == 1);
}

static void refused(int fd) {
    FAILS(close(fd), EBADF);
    FAILS(fcntl(fd, F_SETFD, FD_CLOEXEC), EBADF);
    FAILS(fcntl(fd, F_GETFD), EBADF);
    FAILS(fcntl(fd, F_DUPFD, 0), EBADF);
    FAILS(dup(fd), EBADF);
    FAILS(dup2(fd, 70), EBADF);
    FAILS(dup3(fd, 70, 0), EBADF);
    CHECK(syscall(SYS_fcntl, fd, F_GETFD) == 0);
}

static int is_open_outside(int fd) { return syscall(SYS_fcntl, fd, F_GETFD) >= 0; }

static void ranges(void) {
    int file = OK(open("/dev/null", O_RDONLY));
    int above = OK(fcntl(file, F_DUPFD, 1100)), below = OK(dup2(file, 1021));

    OK(close_range(1000, ~0u, 0));
    CHECK(!is_open_outside(above) && !is_open_outside(below));
    CHECK(is_open_outside(memory_fd) && is_open_outside(event_fd));
    OK(close_range((unsigned int)event_fd, (unsigned int)memory_fd, 0));
    OK(close_range((unsigned int)memory_fd, (unsigned int)memory_fd, CLOSE_RANGE_CLOEXEC));
    closefrom(1000);
    CHECK(syscall(SYS_fcntl, memory_fd, F_GETFD) == 0 && syscall(SYS_fcntl, event_fd, F_GETFD) == 0);
    OK(close(file));
}

/* The program gets their numbers if it wants them. */
static void moved(const char *self) {
    int file = OK(open("/dev/zero", O_RDONLY));
    char byte;
    int memory;

    OK(dup2(file, event_fd));
    CHECK(read(event_fd, &byte, 1) == 1);
    OK(dup3(file, memory_fd, 0));
    CHECK(read(memory_fd, &byte, 1) == 1);
    OK(close(event_fd));
    OK(close(memory_fd));
    OK(close(file));
    for (memory = 1021; memory > 2 && !is_open_outside(memory); memory--)
        ;
    refused(memory);
    refused(memory - 1);
    event_fd = memory - 1;
    events();
    OK(listen(50, 1));
    CHECK(events() == 1);
    exec_finds(self, memory, 0);
    exec_finds(self, memory, 1);
}

int main(int argc, char **argv) {
    int fd;

    if (argc == 3) return after_exec(argv[2]);
    registry_open();
    fd = OK(socket(AF_INET, SOCK_STREAM, 0));
    OK(dup2(fd, 50));
    OK(close(fd));
    refused(memory_fd);
    refused(event_fd);
    exec_finds(argv[0], memory_fd, 0);
    exec_finds(argv[0], memory_fd, 1);
    ranges();
    moved(argv[0]);
    return 0;
}
