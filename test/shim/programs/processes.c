/* The references of a socket follow fork, vfork, posix_spawn and exec, and end with the process. */
#include <pthread.h>
#include <pty.h>
#include <spawn.h>

#include "check.h"

extern char **environ;

static const char *self;

/* Is the image after an exec, which has a socket with `expected` references at descriptor 50, and nothing at 51. */
static int after_exec(int expected) {
    registry_open();
    CHECK(references(50) == (uint32_t)expected);
    CHECK(fcntl(51, F_GETFD) < 0);
    OK(close(50));
    return 0;
}

/* The parent closes at once after the fork, and the child ends by itself, in both ways. */
static void forks(pid_t (*make)(void), void (*end)(int)) {
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0)), go[2];
    uint64_t inode = inode_of(fd);
    char byte;
    pid_t child;

    OK(pipe(go));
    child = OK(make());
    if (child == 0) {
        OK(close(go[1]));
        CHECK(read(go[0], &byte, 1) == 0);
        CHECK(references(fd) == 1);
        int copy = OK(dup(fd));
        CHECK(references(copy) == 2);
        end(0);
    }
    CHECK(references(fd) == 2);
    OK(close(fd));
    CHECK(references_of_inode(inode) == 1);
    OK(close(go[0]));
    OK(close(go[1]));
    succeeds(child);
    CHECK(references_of_inode(inode) == 0);
}

static void terminals(void) {
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0)), master;
    pid_t child = forkpty(&master, NULL, NULL, NULL);

    CHECK(child >= 0);
    if (child == 0) _exit(references(fd) == 2 ? 0 : 1);
    succeeds(child);
    CHECK(references(fd) == 1);
    OK(close(fd));
    OK(close(master));
}

static void many_forks(void) {
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0));

    for (int i = 0; i < 50; i++) {
        pid_t child = OK(fork());
        if (child == 0) _exit(0);
        succeeds(child);
    }
    CHECK(references(fd) == 1);
    OK(close(fd));
}

static void open_both(void) {
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0)), hidden = OK(socket(AF_INET, SOCK_STREAM, 0));

    OK(dup2(fd, 50));
    OK(dup3(hidden, 51, O_CLOEXEC));
    OK(close(fd));
    OK(close(hidden));
}

/* The new image counts two references for 50; the parent's own is one of them. */
static void run_exec(int which) {
    char *arguments[] = {(char *)(uintptr_t)self, "2", NULL};
    int folder;

    switch (which) {
    case 0: execve(self, arguments, environ); break;
    case 1: execv(self, arguments); break;
    case 2: execvp(self, arguments); break;
    case 3: execvpe(self, arguments, environ); break;
    case 4: execl(self, self, "2", (char *)NULL); break;
    case 5: execlp(self, self, "2", (char *)NULL); break;
    case 6: execle(self, self, "2", (char *)NULL, environ); break;
    case 7: fexecve(open(self, O_RDONLY | O_CLOEXEC), arguments, environ); break;
    default: folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC); execveat(folder, self + 1, arguments, environ, 0);
    }
    _exit(127);
}

static void one_exec(int which, pid_t (*make)(void)) {
    open_both();
    uint64_t kept = inode_of(50), hidden = inode_of(51);
    pid_t child = OK(make());

    if (child == 0) run_exec(which);
    succeeds(child);
    CHECK(references_of_inode(kept) == 1 && references_of_inode(hidden) == 1);
    OK(close(50));
    OK(close(51));
    CHECK(references_of_inode(kept) == 0 && references_of_inode(hidden) == 0);
}

static void execs(void) {
    for (int which = 0; which <= 8; which++) {
        one_exec(which, fork);
        one_exec(which, vfork);
    }
}

static void failed_exec(void) {
    char *arguments[] = {"nothing", NULL};

    open_both();
    uint64_t kept = inode_of(50);
    OK(dup2(50, 52));
    FAILS(execv("/nothing/here", arguments), ENOENT);
    FAILS(execvp("nothing-here-either", arguments), ENOENT);
    FAILS(execl("/nothing/here", "nothing", (char *)NULL), ENOENT);
    CHECK(references(50) == 2 && references(51) == 1);
    OK(close(50));
    OK(close(51));
    OK(close(52));
    CHECK(references_of_inode(kept) == 0);
}

static void spawns(void) {
    posix_spawn_file_actions_t actions;
    char *arguments[] = {(char *)(uintptr_t)self, "3", NULL};
    pid_t child;

    open_both();
    uint64_t kept = inode_of(50);
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawn_file_actions_adddup2(&actions, 50, 60) == 0);
    CHECK(posix_spawn(&child, self, &actions, NULL, arguments, environ) == 0);
    succeeds(child);
    CHECK(references(50) == 1);
    arguments[1] = "2";
    CHECK(posix_spawnp(&child, self, NULL, NULL, arguments, environ) == 0);
    succeeds(child);
    posix_spawn_file_actions_destroy(&actions);
    CHECK(references(50) == 1 && references(51) == 1);
    OK(close(50));
    OK(close(51));
    CHECK(references_of_inode(kept) == 0);
}

/* A name that was told outlives an exec, also where no other process has the socket. */
static void name_survives(void) {
    int ends[2];
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    char port[16];
    pid_t child;

    child = OK(fork());
    if (child == 0) {
        tcp_pair(ends);
        OK(getsockname(ends[0], generic(&name), &length));
        OK(dup2(ends[0], 50));
        OK(close(ends[0]));
        snprintf(port, sizeof port, "%d", ntohs(name.sin_port));
        execl(self, self, "name", port, (char *)NULL);
        _exit(127);
    }
    succeeds(child);
}

static int after_name(int port) {
    registry_open();
    CHECK(atomic_load(&record(50)->local.length) == sizeof(struct sockaddr_in));
    CHECK(((struct sockaddr_in *)record(50)->local.bytes)->sin_port == htons((uint16_t)port));
    CHECK(state(50) == REGISTRY_CONNECTED);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 3) return after_name(atoi(argv[2]));
    if (argc == 2) return after_exec(atoi(argv[1]));
    self = argv[0];
    registry_open();
    forks(fork, exit);
    forks(fork, _exit);
    forks(_Fork, _Exit);
    forks(vfork, _exit);
    terminals();
    many_forks();
    execs();
    failed_exec();
    spawns();
    name_survives();
    return 0;
}
