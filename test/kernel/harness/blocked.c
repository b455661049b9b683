#include "blocked.h"

#include "hosts.h"
#include "result.h"
#include "task.h"
#include "tcp.h"

#include <errno.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* What a blocked process works with: its end of a connection, a listener, and a word for a futex. */
struct scene {
    struct connection connection;
    int listener;
    int *word;
};

struct blocked_call {
    const char *name;
    long number;                  /* SYS_*, for telling that the process is in it */
    long (*run)(struct scene *);  /* in the process: returns the call's result */
    long good;                    /* what that is without a stop */
    void (*wake)(struct scene *); /* what lets the call return; NULL where it is not to be woken */
};

static void send_byte(struct scene *scene) { need(send(scene->connection.a, "x", 1, 0)); }

static long run_recv(struct scene *scene) {
    char byte;

    return recv(scene->connection.b, &byte, 1, 0);
}

static long run_poll(struct scene *scene) {
    struct pollfd poller = {.fd = scene->connection.b, .events = POLLIN};

    return poll(&poller, 1, -1);
}

static long run_poll_timeout(struct scene *scene) {
    struct pollfd poller = {.fd = scene->connection.b, .events = POLLIN};

    return poll(&poller, 1, 30000);
}

static long run_select(struct scene *scene) {
    fd_set set;

    FD_ZERO(&set);
    FD_SET(scene->connection.b, &set);
    return select(scene->connection.b + 1, &set, NULL, NULL, NULL);
}

/* The other end is locked, so no ACK makes room: the second send() blocks with nothing taken. */
static long run_send(struct scene *scene) {
    static const char bytes[65536];

    lock(scene->connection.a);
    while (send(scene->connection.b, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    return send(scene->connection.b, "x", 1, 0);
}

static void drain(struct scene *scene) {
    char bytes[65536];

    unlock(scene->connection.a);
    while (readable(scene->connection.a, 1000)) need(recv(scene->connection.a, bytes, sizeof(bytes), 0));
}

static long run_accept(struct scene *scene) { return accept(scene->listener, NULL, NULL) < 0 ? -1 : 0; }

static void connect_listener(struct scene *scene) {
    union address address = local_of(scene->listener);

    need(connect(need(socket(AF_INET, SOCK_STREAM, 0)), &address.any, address_size(&address)));
}

static long run_futex(struct scene *scene) { return syscall(SYS_futex, scene->word, FUTEX_WAIT, 0, NULL, NULL, 0); }

static void wake_futex(struct scene *scene) {
    expect(need(syscall(SYS_futex, scene->word, FUTEX_WAKE, 1, NULL, NULL, 0)) == 1, "nobody waits for the futex");
}

static long run_sleep(struct scene *scene) {
    struct timespec time = {.tv_nsec = 700000000};

    (void)scene;
    return nanosleep(&time, NULL);
}

static void let_time_pass(struct scene *scene) { (void)scene; }

static long run_epoll_wait(struct scene *scene) {
    int epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN};

    epoll_ctl(epoll, EPOLL_CTL_ADD, scene->connection.b, &event);
    return epoll_wait(epoll, &event, 1, -1);
}

static void set_timeout(int fd, int option) {
    struct timeval time = {.tv_sec = 30};

    setsockopt(fd, SOL_SOCKET, option, &time, sizeof(time));
}

static long run_recv_timeout(struct scene *scene) {
    set_timeout(scene->connection.b, SO_RCVTIMEO);
    return run_recv(scene);
}

static long run_accept_timeout(struct scene *scene) {
    set_timeout(scene->listener, SO_RCVTIMEO);
    return run_accept(scene);
}

static long run_send_timeout(struct scene *scene) {
    set_timeout(scene->connection.b, SO_SNDTIMEO);
    return run_send(scene);
}

static long run_sigwait(struct scene *scene) {
    sigset_t set;

    (void)scene;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return sigwaitinfo(&set, NULL);
}

static long run_semop(struct scene *scene) {
    struct sembuf take = {.sem_op = -1};
    int id = semget(IPC_PRIVATE, 1, 0600);
    long result;

    (void)scene;
    result = semop(id, &take, 1);
    take.sem_num = errno; /* semctl may change it */
    semctl(id, 0, IPC_RMID);
    errno = take.sem_num;
    return result;
}

static long run_io_getevents(struct scene *scene) {
    aio_context_t context = 0;
    struct io_event event;

    (void)scene;
    if (syscall(SYS_io_setup, 1, &context)) return 0;
    return syscall(SYS_io_getevents, context, 1, 1, &event, NULL);
}

static const struct blocked_call restarting[] = {
    {"recv", SYS_recvfrom, run_recv, 1, send_byte},
    {"poll", SYS_poll, run_poll, 1, send_byte},
    {"poll with a timeout", SYS_poll, run_poll_timeout, 1, send_byte},
    {"select", -1, run_select, 1, send_byte},
    {"send", SYS_sendto, run_send, 1, drain},
    {"accept", SYS_accept, run_accept, 0, connect_listener},
    {"futex", SYS_futex, run_futex, 0, wake_futex},
    {"nanosleep", -1, run_sleep, 0, let_time_pass},
};

static const struct blocked_call interrupted[] = {
    {"epoll_wait", SYS_epoll_wait, run_epoll_wait, -1, NULL},
    {"recv with SO_RCVTIMEO", SYS_recvfrom, run_recv_timeout, -1, NULL},
    {"send with SO_SNDTIMEO", SYS_sendto, run_send_timeout, -1, NULL},
    {"accept with SO_RCVTIMEO", SYS_accept, run_accept_timeout, -1, NULL},
    {"sigwaitinfo", SYS_rt_sigtimedwait, run_sigwait, -1, NULL},
    {"semop", -1, run_semop, -1, NULL},
    {"io_getevents", SYS_io_getevents, run_io_getevents, -1, NULL},
};

static const struct blocked_call *current;
enum { GOOD, INTERRUPTED, BAD };

static int run_current(void *argument) {
    long result = current->run(argument);

    if (result < 0 && errno == EINTR) return INTERRUPTED;
    return result == current->good ? GOOD : BAD;
}

static void try(const struct blocked_call *call, stop_and_go *stop) {
    struct scene scene = {.connection = connect_hosts(AF_INET), .listener = listen_on_b(AF_INET)};
    int wanted = call->wake ? GOOD : INTERRUPTED, code;
    pid_t pid;

    scene.word = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    expect(scene.word != MAP_FAILED, "mmap: %s", strerror(errno));
    current = call;
    pid = start(run_current, &scene);
    wait_sleeping_in(pid, call->number);
    stop(pid);
    if (call->wake) {
        if (call->wake != let_time_pass && ends_within(pid, 50))
            differs("%s: returned from the stop by itself, with code %d", call->name, finish(pid));
        call->wake(&scene);
    }
    expect(ends_within(pid, 3000), "%s: did not return", call->name);
    code = finish(pid);
    expect(code == wanted, "%s: %s", call->name,
           code == GOOD          ? "went on"
           : code == INTERRUPTED ? "EINTR"
                                 : "neither went on nor EINTR");
    close(scene.connection.a);
    close(scene.connection.b);
    close(scene.listener);
}

static void try_all(const struct blocked_call *calls, size_t count, stop_and_go *stop, char *names, size_t size) {
    *names = '\0';
    for (size_t i = 0; i < count; i++) {
        try(&calls[i], stop);
        snprintf(names + strlen(names), size - strlen(names), "%s%s", i ? ", " : "", calls[i].name);
    }
}

void expect_restarts(stop_and_go *stop, char *names, size_t size) {
    try_all(restarting, sizeof(restarting) / sizeof(*restarting), stop, names, size);
}

void expect_interrupts(stop_and_go *stop, char *names, size_t size) {
    try_all(interrupted, sizeof(interrupted) / sizeof(*interrupted), stop, names, size);
}
