/* Without a registry each call is libc's: nothing is known, nothing is protected. */
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "check.h"

static void handler(int number) { (void)number; }

int main(void) {
    struct sigaction old;
    struct timespec moment = {.tv_nsec = 1000};
    struct pollfd set;
    char byte = 'x';
    int ends[2];
    pid_t child;

    tcp_pair(ends);
    OK(write(ends[0], &byte, 1));
    set = (struct pollfd){.fd = ends[1], .events = POLLIN};
    CHECK(poll(&set, 1, -1) == 1);
    OK(read(ends[1], &byte, 1));
    OK(dup2(ends[0], 1023));
    OK(close(1023));
    CHECK(signal(SIGUSR1, handler) == SIG_DFL);
    OK(sigaction(SIGUSR1, NULL, &old));
    CHECK(old.sa_handler == handler && (old.sa_flags & SA_RESTART));
    OK(nanosleep(&moment, NULL));
    child = OK(vfork());
    if (child == 0) _exit(0);
    succeeds(child);
    OK(close_range(3, ~0u, 0));
    closefrom(3);
    return 0;
}
