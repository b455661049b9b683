/*
 * probe ALIVE: the program that tools/probe-criu dumps and restores. Started as PID 1 of a PID
 * namespace. Its child, a session leader, has a listening socket and both ends of a connection.
 *
 * Prints "ready" when a dump may come. On SIGUSR1, PID 1 tells the child; that one makes sure that it
 * still has its three sockets and that the clock in the vDSO works, and then says so in the FIFO ALIVE.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *what) {
    perror(what);
    exit(1);
}

static void wait_for_signal(const sigset_t *set) {
    int signal;

    if (sigwait(set, &signal)) die("sigwait");
}

static void open_sockets(int fds[3]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int on = 1;

    fds[0] = socket(AF_INET, SOCK_STREAM, 0);
    fds[1] = socket(AF_INET, SOCK_STREAM, 0);
    /* The dumped connection may be in TIME_WAIT on this port when the restored listener binds it. */
    if (setsockopt(fds[0], SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0) die("SO_REUSEADDR");
    if (bind(fds[0], (struct sockaddr *)&address, length) < 0 || listen(fds[0], 1) < 0) die("listen");
    if (getsockname(fds[0], (struct sockaddr *)&address, &length) < 0) die("getsockname");
    if (connect(fds[1], (struct sockaddr *)&address, length) < 0) die("connect");
    fds[2] = accept(fds[0], NULL, NULL);
    if (fds[2] < 0) die("accept");
}

static int child(const char *alive, const sigset_t *set) {
    struct timespec now;
    int fds[3];

    if (setsid() < 0) die("setsid");
    open_sockets(fds);
    puts("ready");
    /* Nothing of the outside may be open when CRIU looks. */
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) return 1;
    wait_for_signal(set);
    for (int i = 0; i < 3; i++) {
        int type;
        socklen_t length = sizeof(type);

        if (getsockopt(fds[i], SOL_SOCKET, SO_TYPE, &type, &length) < 0 || type != SOCK_STREAM) return 1;
    }
    if (clock_gettime(CLOCK_MONOTONIC, &now) < 0) return 1;
    return write(open(alive, O_WRONLY), "alive\n", 6) != 6;
}

int main(int argc, char **argv) {
    sigset_t set;

    if (argc != 2) return 2;
    /* What the caller left open may lie on mounts that only the caller sees. */
    if (close_range(3, ~0u, 0) < 0) die("close_range");
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    setsid();
    setvbuf(stdout, NULL, _IOLBF, 0);

    pid_t pid = fork();
    if (pid < 0) die("fork");
    if (pid == 0) return child(argv[1], &set);
    if (!freopen("/dev/null", "w", stdout) || !freopen("/dev/null", "w", stderr)) return 1;
    wait_for_signal(&set);
    kill(pid, SIGUSR1);
    return waitpid(pid, NULL, 0) != pid;
}
