/* Calls on a frozen socket wait for its thaw, or say EAGAIN where the socket is non-blocking. */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "check.h"

static char buffer[16] = "0123456789abcde";
static struct iovec part = {buffer, 1};

static long by_read(int fd) { return read(fd, buffer, 1); }
static long by_readv(int fd) { return readv(fd, &part, 1); }
static long by_preadv2(int fd) { return preadv2(fd, &part, 1, -1, 0); }
static long by_recv(int fd) { return recv(fd, buffer, 1, 0); }
static long by_recvfrom(int fd) { return recvfrom(fd, buffer, 1, 0, NULL, NULL); }
static long by_recvmsg(int fd) {
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return recvmsg(fd, &message, 0);
}
static long by_recvmmsg(int fd) {
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    return recvmmsg(fd, &message, 1, 0, NULL);
}
static long by_splice(int fd) {
    int ends[2];
    CHECK(pipe(ends) == 0);
    long result = splice(fd, NULL, ends[1], NULL, 1, 0);
    int error = errno;
    close(ends[0]);
    close(ends[1]);
    errno = error;
    return result;
}
static long by_write(int fd) { return write(fd, buffer, 1); }
static long by_writev(int fd) { return writev(fd, &part, 1); }
static long by_pwritev2(int fd) { return pwritev2(fd, &part, 1, -1, 0); }
static long by_send(int fd) { return send(fd, buffer, 1, 0); }
static long by_sendto(int fd) { return sendto(fd, buffer, 1, 0, NULL, 0); }
static long by_sendmsg(int fd) {
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    return sendmsg(fd, &message, 0);
}
static long by_sendmmsg(int fd) {
    struct mmsghdr message = {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}};
    return sendmmsg(fd, &message, 1, 0);
}
static long by_sendfile(int fd) {
    int file = open("/proc/self/exe", O_RDONLY);
    CHECK(file >= 0);
    long result = sendfile(fd, file, NULL, 1);
    int error = errno;
    close(file);
    errno = error;
    return result;
}
static long by_poll(int fd) {
    struct pollfd set = {.fd = fd, .events = POLLIN};
    return poll(&set, 1, -1);
}
static long by_ppoll(int fd) {
    struct pollfd set = {.fd = fd, .events = POLLIN};
    return ppoll(&set, 1, NULL, NULL);
}
static long by_select(int fd) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return select(fd + 1, &set, NULL, NULL, NULL);
}
static long by_pselect(int fd) {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    return pselect(fd + 1, &set, NULL, NULL, NULL, NULL);
}
static long by_shutdown(int fd) { return 1 + shutdown(fd, SHUT_WR); }
static long by_close(int fd) { return 1 + close(dup(fd)); }
static long by_dup2(int fd) {
    int copy = dup(fd);
    return 1 + (dup2(fd, copy) == copy ? close(copy) : -1);
}
static long by_close_range(int fd) {
    unsigned int copy = (unsigned int)dup(fd);
    return 1 + close_range(copy, copy, 0);
}
static long by_fclose(int fd) { return 1 + fclose(fdopen(dup(fd), "r")); }

struct call {
    const char *name;
    long (*run)(int fd);
    /* What a non-blocking socket says; 0: it waits just the same. */
    int refusal;
};

static const struct call calls[] = {
    {"read", by_read, EAGAIN},
    {"readv", by_readv, EAGAIN},
    {"preadv2", by_preadv2, EAGAIN},
    {"recv", by_recv, EAGAIN},
    {"recvfrom", by_recvfrom, EAGAIN},
    {"recvmsg", by_recvmsg, EAGAIN},
    {"recvmmsg", by_recvmmsg, EAGAIN},
    {"splice", by_splice, EAGAIN},
    {"write", by_write, EAGAIN},
    {"writev", by_writev, EAGAIN},
    {"pwritev2", by_pwritev2, EAGAIN},
    {"send", by_send, EAGAIN},
    {"sendto", by_sendto, EAGAIN},
    {"sendmsg", by_sendmsg, EAGAIN},
    {"sendmmsg", by_sendmmsg, EAGAIN},
    {"sendfile", by_sendfile, EAGAIN},
    {"poll", by_poll, 0},
    {"ppoll", by_ppoll, 0},
    {"select", by_select, 0},
    {"pselect", by_pselect, 0},
    {"close", by_close, 0},
    {"dup2", by_dup2, 0},
    {"close_range", by_close_range, 0},
    {"fclose", by_fclose, 0},
    {"shutdown", by_shutdown, 0},
};

struct caller {
    const struct call *call;
    int fd;
    atomic_int thread;
    atomic_int done;
    long result;
    int error;
};

static void *run(void *argument) {
    struct caller *caller = argument;

    atomic_store(&caller->thread, (int)syscall(SYS_gettid));
    caller->result = caller->call->run(caller->fd);
    caller->error = errno;
    atomic_store(&caller->done, 1);
    return NULL;
}

/* Until the thread waits in futex(2), as a call on a frozen socket does. */
static void until_waiting(struct caller *caller) {
    char path[64], text[64];

    while (!atomic_load(&caller->thread)) sched_yield();
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", atomic_load(&caller->thread));
    do {
        int fd = open(path, O_RDONLY);
        ssize_t length = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
        text[length < 0 ? 0 : length] = 0;
        if (fd >= 0) close(fd);
        CHECK(!atomic_load(&caller->done));
    } while (atoi(text) != SYS_futex);
}

static void waits(const struct call *call, int fd) {
    struct caller caller = {.call = call, .fd = fd};
    pthread_t thread;

    set_frozen(fd, 1);
    CHECK(pthread_create(&thread, NULL, run, &caller) == 0);
    until_waiting(&caller);
    set_frozen(fd, 0);
    CHECK(pthread_join(thread, NULL) == 0);
    if (caller.result != 1) fprintf(stderr, "%s: %ld, errno %d\n", call->name, caller.result, caller.error);
    CHECK(caller.result == 1);
}

/* Each has a byte to read and room to write. */
static void each_call(void) {
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        int ends[2];
        tcp_pair(ends);
        OK(write(ends[1], "abc", 3));
        waits(&calls[i], ends[0]);
        if (calls[i].refusal && strcmp(calls[i].name, "shutdown") != 0) {
            CHECK(fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0);
            set_frozen(ends[0], 1);
            FAILS(calls[i].run(ends[0]), calls[i].refusal);
            set_frozen(ends[0], 0);
            CHECK(calls[i].run(ends[0]) == 1);
        }
        OK(close(ends[0]));
        OK(close(ends[1]));
    }
}

static void one_call_refused(void) {
    int ends[2];

    tcp_pair(ends);
    OK(write(ends[1], "abc", 3));
    set_frozen(ends[0], 1);
    FAILS(recv(ends[0], buffer, 1, MSG_DONTWAIT), EAGAIN);
    FAILS(send(ends[0], buffer, 1, MSG_DONTWAIT), EAGAIN);
    set_frozen(ends[0], 0);
    OK(close(ends[0]));
    OK(close(ends[1]));
}

static long by_connect(int fd) {
    struct sockaddr_in at = loopback(1);
    CHECK(connect(fd, generic(&at), sizeof at) < 0);
    return errno == ECONNREFUSED;
}
static long by_bind(int fd) {
    struct sockaddr_in at = loopback(0);
    return 1 + bind(fd, generic(&at), sizeof at);
}
static long by_listen(int fd) { return 1 + listen(fd, 1); }
static long by_accept(int fd) { return accept(fd, NULL, NULL) >= 0; }
static long by_accept4(int fd) { return accept4(fd, NULL, NULL, 0) >= 0; }

static void before_a_connection(void) {
    static const struct call states[] = {{"connect", by_connect, 0}, {"bind", by_bind, 0}, {"listen", by_listen, 0}};
    static const struct call accepts[] = {{"accept", by_accept, EAGAIN}, {"accept4", by_accept4, EAGAIN}};
    struct sockaddr_in at;
    int listener = listening(&at);

    for (size_t i = 0; i < 3; i++) {
        int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
        waits(&states[i], fd);
        OK(close(fd));
    }
    for (size_t i = 0; i < 2; i++) {
        int client = OK(socket(AF_INET, SOCK_STREAM, 0));
        OK(connect(client, generic(&at), sizeof at));
        waits(&accepts[i], listener);
        OK(close(client));
    }
    CHECK(fcntl(listener, F_SETFL, O_NONBLOCK) == 0);
    set_frozen(listener, 1);
    FAILS(accept(listener, NULL, NULL), EAGAIN);
    set_frozen(listener, 0);
    OK(close(listener));
}

/* Where the time is over before the thaw, the other descriptors are what there is. */
static void not_reported(void) {
    int frozen[2], other[2];
    fd_set set;

    tcp_pair(frozen);
    tcp_pair(other);
    OK(write(frozen[1], "x", 1));
    OK(write(other[1], "x", 1));
    set_frozen(frozen[0], 1);
    struct pollfd fds[3] = {{.fd = -1, .revents = 7},
                            {.fd = frozen[0], .events = POLLIN, .revents = 7},
                            {.fd = other[0], .events = POLLIN}};
    CHECK(poll(fds, 3, 0) == 1);
    CHECK(fds[0].fd == -1 && fds[0].revents == 0 && fds[1].revents == 0 && fds[2].revents == POLLIN);
    CHECK(poll(fds, 2, 20) == 0);
    struct timespec soon = {.tv_nsec = 1000000};
    CHECK(ppoll(fds, 2, &soon, NULL) == 0);
    FD_ZERO(&set);
    FD_SET(frozen[0], &set);
    FD_SET(other[0], &set);
    struct timeval now = {0, 0};
    int top = (frozen[0] > other[0] ? frozen[0] : other[0]) + 1;
    CHECK(select(top, &set, NULL, NULL, &now) == 1);
    CHECK(!FD_ISSET(frozen[0], &set) && FD_ISSET(other[0], &set));
    FD_SET(frozen[0], &set);
    CHECK(pselect(top, &set, NULL, NULL, &soon, NULL) == 1 && !FD_ISSET(frozen[0], &set));
    set_frozen(frozen[0], 0);
    CHECK(poll(fds, 3, 0) == 2);
    close_range((unsigned int)frozen[0], 100, 0);
}

static void handler(int number) { (void)number; }

/* A handler of the program ends a wait as it would end the call. */
static void interrupted(void) {
    struct sigaction action = {.sa_handler = handler};
    struct caller caller = {.call = &calls[0]};
    pthread_t thread;
    int ends[2];

    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    tcp_pair(ends);
    caller.fd = ends[0];
    set_frozen(ends[0], 1);
    CHECK(pthread_create(&thread, NULL, run, &caller) == 0);
    until_waiting(&caller);
    CHECK(pthread_kill(thread, SIGUSR1) == 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(caller.result == -1 && caller.error == EINTR);
    set_frozen(ends[0], 0);
    OK(close(ends[0]));
    OK(close(ends[1]));
}

/* A freeze word is the socket's: it holds in another process, through another descriptor. */
static void in_another_process(void) {
    int ends[2], done[2];
    pid_t child;
    char byte;

    tcp_pair(ends);
    OK(write(ends[1], "x", 1));
    OK(pipe(done));
    set_frozen(ends[0], 1);
    child = OK(fork());
    if (child == 0) {
        int copy = dup(ends[0]);
        CHECK(fcntl(copy, F_SETFL, O_NONBLOCK) == 0);
        FAILS(read(copy, &byte, 1), EAGAIN);
        _exit(0);
    }
    succeeds(child);
    set_frozen(ends[0], 0);
}

int main(void) {
    registry_open();
    each_call();
    one_call_refused();
    before_a_connection();
    not_reported();
    interrupted();
    in_another_process();
    CHECK(atomic_load(&registry->signs.frozen) == 0);
    return 0;
}
