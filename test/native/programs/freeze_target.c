/* What a test freezes. First argument:
 *
 *   recv      repeats each line that comes; says the errno of a recv(2) that fails
 *   stdio     the same with libc's stdio on a socket with SO_RCVTIMEO, and a handler for SIGUSR1
 *   threads   four threads count, a fifth makes and joins threads without end; says "ready"
 *   signals   sends itself queued signals until a line comes; says how many of them its handler did not see
 *   vfork     says "ready" from a child of vfork(2), which holds its parent until stdin ends
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { COUNTERS = 4 };

static volatile sig_atomic_t running = 1;
static volatile unsigned long seen;

static void on_signal(int number) {
    (void)number;
    seen++;
}

static int say(const char *text) { return write(STDOUT_FILENO, text, strlen(text)) < 0; }

static int repeat(void) {
    char line[256];
    ssize_t length;

    if (say("ready\n")) return 1;
    while ((length = recv(STDIN_FILENO, line, sizeof line, 0)) > 0)
        if (write(STDOUT_FILENO, line, (size_t)length) < 0) return 1;
    if (length < 0) printf("%s\n", strerror(errno));
    return length < 0;
}

static int repeat_lines(void) {
    struct timeval minute = {.tv_sec = 60};
    struct sigaction action = {.sa_handler = on_signal};
    char line[256];

    sigaction(SIGUSR1, &action, NULL);
    if (setsockopt(STDIN_FILENO, SOL_SOCKET, SO_RCVTIMEO, &minute, sizeof minute) < 0 || say("ready\n")) return 1;
    for (;;) {
        clearerr(stdin);
        if (say(fgets(line, sizeof line, stdin) ? line : strerrorname_np(errno)) || (ferror(stdin) && say("\n")))
            return 1;
        if (feof(stdin)) return 0;
    }
}

static void *count(void *argument) {
    volatile unsigned long *counter = argument;

    while (running) ++*counter;
    return NULL;
}

static void *nothing(void *argument) { return argument; }

static void *make_threads(void *argument) {
    pthread_t thread;

    while (running)
        if (pthread_create(&thread, NULL, nothing, argument) == 0) pthread_join(thread, NULL);
    return NULL;
}

static int run_threads(void) {
    static unsigned long counters[COUNTERS];
    pthread_t thread;

    for (int i = 0; i < COUNTERS; i++) pthread_create(&thread, NULL, count, &counters[i]);
    pthread_create(&thread, NULL, make_threads, NULL);
    return say("ready\n") || pthread_join(thread, NULL);
}

static unsigned long sent;

/* It ends with EAGAIN, when as many signals wait as may. */
static void *send_signals(void *argument) {
    while (running)
        if (pthread_sigqueue(*(pthread_t *)argument, SIGRTMIN, (union sigval){0}) == 0) sent++;
    return NULL;
}

static void *await_line(void *argument) {
    char line[256];

    (void)argument;
    running = read(STDIN_FILENO, line, sizeof line) < 0;
    return NULL;
}

static int count_signals(void) {
    struct sigaction action = {.sa_handler = on_signal};
    pthread_t self = pthread_self(), sender, reader;

    sigaction(SIGRTMIN, &action, NULL);
    if (say("ready\n")) return 1;
    pthread_create(&sender, NULL, send_signals, &self);
    pthread_create(&reader, NULL, await_line, NULL);
    while (running) continue;
    pthread_join(sender, NULL);
    pthread_join(reader, NULL);
    printf("%ld\n", (long)(sent - seen));
    return sent == 0;
}

static int hold_in_vfork(void) {
    char byte;
    pid_t child = vfork();

    if (child == 0) {
        if (write(STDOUT_FILENO, "ready\n", 6) < 0) _exit(1);
        while (read(STDIN_FILENO, &byte, 1) > 0) continue;
        _exit(0);
    }
    return say("returned\n");
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";

    if (!strcmp(mode, "recv")) return repeat();
    if (!strcmp(mode, "stdio")) return repeat_lines();
    if (!strcmp(mode, "threads")) return run_threads();
    if (!strcmp(mode, "signals")) return count_signals();
    if (!strcmp(mode, "vfork")) return hold_in_vfork();
    return 2;
}
