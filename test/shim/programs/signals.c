/* The program sees its own handlers and nothing of the shim's. */
#include <pthread.h>
#include <signal.h>

#include "check.h"

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static volatile int ran, last_value;

static void plain(int number) { ran = number; }

static void with_info(int number, siginfo_t *info, void *context) {
    ran = number;
    last_value = info->si_value.sival_int;
    CHECK(context);
}

static void by_sigaction(void) {
    struct sigaction first = {.sa_handler = plain, .sa_flags = SA_RESTART},
                     second = {.sa_sigaction = with_info, .sa_flags = SA_SIGINFO | SA_NODEFER};
    struct sigaction old;

    sigaddset(&first.sa_mask, SIGUSR2);
    OK(sigaction(SIGUSR1, &first, &old));
    CHECK(old.sa_handler == SIG_DFL && !(old.sa_flags & SA_SIGINFO));
    OK(sigaction(SIGUSR1, NULL, &old));
    CHECK(old.sa_handler == plain && (old.sa_flags & (SA_RESTART | SA_SIGINFO)) == SA_RESTART);
    CHECK(sigismember(&old.sa_mask, SIGUSR2) == 1);
    raise(SIGUSR1);
    CHECK(ran == SIGUSR1);
    OK(sigaction(SIGUSR1, &second, &old));
    CHECK(old.sa_handler == plain && !(old.sa_flags & SA_SIGINFO));
    sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 42});
    CHECK(last_value == 42);
    OK(sigaction(SIGUSR1, &(struct sigaction){.sa_handler = SIG_IGN}, &old));
    CHECK(old.sa_sigaction == with_info && (old.sa_flags & SA_SIGINFO) && (old.sa_flags & SA_NODEFER));
    OK(sigaction(SIGUSR1, NULL, &old));
    CHECK(old.sa_handler == SIG_IGN);
    raise(SIGUSR1);
    FAILS(sigaction(SIGKILL, &first, NULL), EINVAL);
    FAILS(sigaction(0, &first, NULL), EINVAL);
    FAILS(sigaction(65, &first, NULL), EINVAL);
}

static void once(void) {
    struct sigaction action = {.sa_handler = plain, .sa_flags = SA_RESETHAND}, old;

    ran = 0;
    OK(sigaction(SIGUSR2, &action, NULL));
    raise(SIGUSR2);
    CHECK(ran == SIGUSR2);
    OK(sigaction(SIGUSR2, NULL, &old));
    CHECK(old.sa_handler == SIG_DFL);
}

static void by_signal(void) {
    struct sigaction old;

    CHECK(signal(SIGUSR1, plain) == SIG_IGN);
    CHECK(signal(SIGUSR1, plain) == plain);
    OK(sigaction(SIGUSR1, NULL, &old));
    CHECK((old.sa_flags & SA_RESTART) && sigismember(&old.sa_mask, SIGUSR1) == 1);
    OK(siginterrupt(SIGUSR1, 1));
    OK(sigaction(SIGUSR1, NULL, &old));
    CHECK(old.sa_handler == plain && !(old.sa_flags & SA_RESTART));
    CHECK(signal(SIGUSR1, SIG_DFL) == plain);
    CHECK(signal(SIGUSR1, plain) == SIG_DFL);
    OK(sigaction(SIGUSR1, NULL, &old));
    CHECK(!(old.sa_flags & SA_RESTART));
    OK(siginterrupt(SIGUSR1, 0));
    OK(sigaction(SIGUSR1, NULL, &old));
    CHECK(old.sa_flags & SA_RESTART);
    errno = 0;
    CHECK(signal(SIGKILL, plain) == SIG_ERR && errno == EINVAL);
    CHECK(signal(-1, plain) == SIG_ERR && errno == EINVAL);
}

static void by_older_calls(void) {
    struct sigaction old;

    CHECK(sysv_signal(SIGUSR1, plain) == plain);
    OK(sigaction(SIGUSR1, NULL, &old));
    CHECK((old.sa_flags & (SA_RESETHAND | SA_NODEFER | SA_RESTART)) == (SA_RESETHAND | SA_NODEFER));
    CHECK(sigset(SIGUSR1, plain) == plain);
    CHECK(sigset(SIGUSR1, SIG_HOLD) == plain);
    CHECK(sigset(SIGUSR1, SIG_HOLD) == SIG_HOLD);
    ran = 0;
    raise(SIGUSR1);
    CHECK(!ran);
    CHECK(sigset(SIGUSR1, plain) == SIG_HOLD);
    CHECK(ran == SIGUSR1);
    CHECK(sigset(SIGUSR1, SIG_DFL) == plain);
}

/* The shim blocks signals for a moment, also in a fork: none stays blocked. */
static void masks(void) {
    sigset_t mask;
    pid_t child = OK(fork());

    CHECK(sigprocmask(SIG_SETMASK, NULL, &mask) == 0);
    for (int number = 1; number < 65; number++) CHECK(sigismember(&mask, number) <= 0);
    if (child == 0) {
        CHECK(signal(SIGUSR1, plain) == SIG_DFL);
        ran = 0;
        raise(SIGUSR1);
        _exit(ran != SIGUSR1);
    }
    succeeds(child);
}

static void *change(void *unused) {
    for (int i = 0; i < 20000; i++) CHECK(signal(SIGUSR1, i & 1 ? plain : SIG_IGN) != SIG_ERR);
    return unused;
}

static void threads(void) {
    pthread_t thread[2];

    for (int i = 0; i < 2; i++) CHECK(pthread_create(&thread[i], NULL, change, NULL) == 0);
    CHECK(signal(SIGUSR1, plain) != SIG_ERR);
    for (int i = 0; i < 2000; i++) kill(getpid(), SIGUSR1);
    for (int i = 0; i < 2; i++) CHECK(pthread_join(thread[i], NULL) == 0);
}

int main(void) {
    by_sigaction();
    once();
    by_signal();
    by_older_calls();
    masks();
    threads();
    return 0;
}
