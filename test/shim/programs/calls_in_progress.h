/* Calls that block, and what ends each of them. */
#ifndef SHIM_TEST_CALLS_IN_PROGRESS_H
#define SHIM_TEST_CALLS_IN_PROGRESS_H

#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <threads.h>
#include <time.h>

#include "check.h"

#define BULK (8 << 20)
#define MINUTE 60000
#define SHORT_MS 300

static char bulk[BULK];
static char small[16];
/* The ends of a connection: near_end is the child's, far_end is ours. */
static int near_end, far_end;
static int semaphores;
static sigset_t usr1;
static sem_t semaphore;
static struct timespec short_time = {.tv_nsec = SHORT_MS * 1000000};
static struct timespec minute = {.tv_sec = 60};

/* A bulk call sends these bytes, in which a gap or a repetition shows. */
static char byte_at(size_t i) { return (char)(i % 251); }

static void fill_bulk(void) {
    for (size_t i = 0; i < BULK; i++) bulk[i] = byte_at(i);
}

static int epoll_of_near(void) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};

    CHECK(fd >= 0 && epoll_ctl(fd, EPOLL_CTL_ADD, near_end, &event) == 0);
    return fd;
}
static struct timespec now_plus_short(clockid_t clock) {
    struct timespec time;

    clock_gettime(clock, &time);
    time.tv_nsec += short_time.tv_nsec;
    if (time.tv_nsec >= 1000000000) time = (struct timespec){time.tv_sec + 1, time.tv_nsec - 1000000000};
    return time;
}
static struct iovec *bulk_parts(void) {
    static struct iovec parts[3] = {{bulk, 1000}, {bulk + 1000, BULK / 2}, {bulk + 1000 + BULK / 2, BULK / 2 - 1000}};
    return parts;
}
static struct iovec *small_parts(void) {
    static struct iovec parts[2] = {{small, 3}, {small + 3, 5}};
    return parts;
}

static struct epoll_event got;
static long in_epoll_wait(void) { return epoll_wait(epoll_of_near(), &got, 1, MINUTE); }
static long in_epoll_pwait(void) { return epoll_pwait(epoll_of_near(), &got, 1, -1, NULL); }
static long in_epoll_pwait2(void) { return epoll_pwait2(epoll_of_near(), &got, 1, &minute, NULL); }
static long in_epoll_timeout(void) { return epoll_wait(epoll_of_near(), &got, 1, SHORT_MS); }
static long in_poll(void) { return poll(&(struct pollfd){.fd = near_end, .events = POLLIN}, 1, MINUTE); }
static long in_poll_timeout(void) { return poll(&(struct pollfd){.fd = near_end, .events = POLLIN}, 1, SHORT_MS); }
static long in_ppoll(void) { return ppoll(&(struct pollfd){.fd = near_end, .events = POLLIN}, 1, &minute, NULL); }
static long in_ppoll_timeout(void) {
    return ppoll(&(struct pollfd){.fd = near_end, .events = POLLIN}, 1, &short_time, NULL);
}
static fd_set *set_of_near(void) {
    static fd_set set;
    FD_SET(near_end, &set);
    return &set;
}
static long in_select(void) { return select(near_end + 1, set_of_near(), NULL, NULL, &(struct timeval){.tv_sec = 60}); }
static long in_select_timeout(void) {
    return select(near_end + 1, set_of_near(), NULL, NULL, &(struct timeval){.tv_usec = SHORT_MS * 1000});
}
static long in_pselect(void) { return pselect(near_end + 1, set_of_near(), NULL, NULL, &minute, NULL); }
static long in_read(void) { return read(near_end, small, 1); }
static long in_recv(void) { return recv(near_end, small, 1, 0); }
static long in_recvmsg(void) {
    return recvmsg(near_end, &(struct msghdr){.msg_iov = small_parts(), .msg_iovlen = 1}, 0);
}
static long in_waitall(void) { return recv(near_end, small, 8, MSG_WAITALL); }
static long in_waitall_parts(void) {
    return recvmsg(near_end, &(struct msghdr){.msg_iov = small_parts(), .msg_iovlen = 2}, MSG_WAITALL);
}
/* Checks that what was only looked at is still there. */
static long taken(long count) {
    if (count > 0) CHECK(recv(near_end, small, (size_t)count, MSG_DONTWAIT) == count);
    return count;
}
static long in_waitall_look(void) { return taken(recv(near_end, small, 8, MSG_WAITALL | MSG_PEEK)); }
static long in_waitall_look_parts(void) {
    return taken(
        recvmsg(near_end, &(struct msghdr){.msg_iov = small_parts(), .msg_iovlen = 2}, MSG_WAITALL | MSG_PEEK));
}
static void have_lowat(void) { CHECK(setsockopt(near_end, SOL_SOCKET, SO_RCVLOWAT, &(int){8}, sizeof(int)) == 0); }
static long in_lowat(void) {
    have_lowat();
    return recv(near_end, small, sizeof small, 0);
}
static long in_lowat_read(void) {
    have_lowat();
    return read(near_end, small, sizeof small);
}
static long in_lowat_readv(void) {
    have_lowat();
    return readv(near_end, small_parts(), 2);
}
/* Returns the bytes of both messages. What stopped the call must not be left behind as an error of the socket. */
static long in_recvmmsg(void) {
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = small_parts(), .msg_iovlen = 1}},
                                  {.msg_hdr = {.msg_iov = small_parts() + 1, .msg_iovlen = 1}}};
    int count = recvmmsg(near_end, messages, 2, 0, NULL), error = 0;

    CHECK(getsockopt(near_end, SOL_SOCKET, SO_ERROR, &error, &(socklen_t){sizeof error}) == 0 && error == 0);
    return count < 0 ? count : (long)messages[0].msg_len + (count > 1 ? (long)messages[1].msg_len : 0);
}
static long in_accept(void) {
    struct sockaddr_in at;
    struct timeval timeout = {.tv_usec = SHORT_MS * 1000};
    int listener = listening(&at);

    CHECK(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0);
    return accept(listener, NULL, NULL);
}
static long in_send(void) { return send(near_end, bulk, BULK, 0); }
static long in_write(void) { return write(near_end, bulk, BULK); }
static long in_writev(void) { return writev(near_end, bulk_parts(), 3); }
static long in_sendmsg(void) {
    return sendmsg(near_end, &(struct msghdr){.msg_iov = bulk_parts(), .msg_iovlen = 3}, 0);
}
static long in_sendmmsg(void) {
    struct mmsghdr messages[2] = {{.msg_hdr = {.msg_iov = bulk_parts(), .msg_iovlen = 2}},
                                  {.msg_hdr = {.msg_iov = bulk_parts() + 2, .msg_iovlen = 1}}};
    long count = sendmmsg(near_end, messages, 2, 0);
    return count < 0 ? count : (long)messages[0].msg_len + (count > 1 ? (long)messages[1].msg_len : 0);
}
/* Waits until all is acknowledged. Returns the number of the last send that the kernel is done with. */
static uint32_t last_notified(void) {
    uint32_t last = 0;
    int left = 1;

    while (left) CHECK(ioctl(near_end, SIOCOUTQ, &left) == 0);
    /* The acknowledgement is dealt with under the socket's lock: whoever gets that now comes after it. */
    CHECK(getsockopt(near_end, IPPROTO_TCP, TCP_INFO, &(struct tcp_info){0}, &(socklen_t){sizeof(struct tcp_info)}) ==
          0);
    for (;;) {
        char control[256];
        struct msghdr message = {.msg_control = control, .msg_controllen = sizeof control};
        struct sock_extended_err notified;

        if (recvmsg(near_end, &message, MSG_ERRQUEUE) < 0) return last;
        memcpy(&notified, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof notified);
        CHECK(notified.ee_origin == SO_EE_ORIGIN_ZEROCOPY);
        last = notified.ee_data;
    }
}
/* One call is one send to a program that counts them, however many it took. */
static long in_zerocopy(void) {
    CHECK(setsockopt(near_end, SOL_SOCKET, SO_ZEROCOPY, &(int){1}, sizeof(int)) == 0);
    long count = send(near_end, bulk, BULK, MSG_ZEROCOPY);
    int error = errno;
    if (count == BULK) CHECK(last_notified() == 0);
    errno = error;
    return count;
}
static long in_sendfile(void) {
    int file = memfd_create("bulk", MFD_CLOEXEC);
    CHECK(pwrite(file, bulk, BULK, 0) == BULK);
    return sendfile(near_end, file, &(off_t){0}, BULK);
}
#define PIPE_SIZE (1 << 20)
static long in_splice(void) {
    int ends[2];
    CHECK(setsockopt(near_end, SOL_SOCKET, SO_SNDBUF, &(int){1 << 16}, sizeof(int)) == 0);
    CHECK(pipe(ends) == 0 && fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE) == PIPE_SIZE);
    CHECK(write(ends[1], bulk, PIPE_SIZE) == PIPE_SIZE);
    return splice(ends[0], NULL, near_end, NULL, PIPE_SIZE, 0);
}
static long in_nanosleep(void) { return nanosleep(&short_time, NULL); }
static long in_clock_nanosleep(void) {
    errno = clock_nanosleep(CLOCK_MONOTONIC, 0, &short_time, NULL);
    return errno ? -1 : 0;
}
static long in_sleep(void) { return sleep(1); }
static long in_usleep(void) { return usleep(SHORT_MS * 1000); }
static long in_thrd_sleep(void) { return thrd_sleep(&short_time, NULL); }
static long in_sem_timedwait(void) {
    struct timespec until = now_plus_short(CLOCK_REALTIME);
    return sem_timedwait(&semaphore, &until);
}
static long in_sem_clockwait(void) {
    struct timespec until = now_plus_short(CLOCK_MONOTONIC);
    return sem_clockwait(&semaphore, CLOCK_MONOTONIC, &until);
}
static long in_sigwaitinfo(void) { return sigwaitinfo(&usr1, NULL); }
static long in_sigtimedwait(void) { return sigtimedwait(&usr1, NULL, &minute); }
static long in_semop(void) { return semop(semaphores, &(struct sembuf){.sem_op = -1}, 1); }
static long in_semtimedop(void) { return semtimedop(semaphores, &(struct sembuf){.sem_op = -1}, 1, &minute); }

/* Each of these ends a call, once the freeze is over. */
static void by_byte(pid_t child) {
    (void)child;
    CHECK(write(far_end, small, 1) == 1);
}
static void by_rest(pid_t child) {
    (void)child;
    CHECK(write(far_end, small, 5) == 5);
}
/* Only as many bytes as the low-water mark wake a reader, however many it has already (tcp_data_ready() in tcp_input.c). */
static void by_mark(pid_t child) {
    (void)child;
    CHECK(write(far_end, small, 8) == 8);
}
static void by_time(pid_t child) { (void)child; }
static void by_reading(pid_t child) {
    static char sink[1 << 16];
    size_t at = 0;
    ssize_t size;

    (void)child;
    while ((size = read(far_end, sink, sizeof sink)) > 0)
        for (ssize_t i = 0; i < size; i++) CHECK(sink[i] == byte_at(at++));
}
static void by_signal(pid_t child) { CHECK(kill(child, SIGUSR1) == 0); }
static void by_semaphore(pid_t child) {
    (void)child;
    CHECK(semop(semaphores, &(struct sembuf){.sem_op = 1}, 1) == 0);
}

static const struct {
    const char *name;
    long (*call)(void);
    void (*end)(pid_t child);
} cases[] = {
    {"epoll_wait", in_epoll_wait, by_byte},
    {"epoll_pwait", in_epoll_pwait, by_byte},
    {"epoll_pwait2", in_epoll_pwait2, by_byte},
    {"epoll_timeout", in_epoll_timeout, by_time},
    {"poll", in_poll, by_byte},
    {"poll_timeout", in_poll_timeout, by_time},
    {"ppoll", in_ppoll, by_byte},
    {"ppoll_timeout", in_ppoll_timeout, by_time},
    {"select", in_select, by_byte},
    {"select_timeout", in_select_timeout, by_time},
    {"pselect", in_pselect, by_byte},
    {"read", in_read, by_byte},
    {"recv", in_recv, by_byte},
    {"recvmsg", in_recvmsg, by_byte},
    {"waitall", in_waitall, by_rest},
    {"waitall_look", in_waitall_look, by_rest},
    {"waitall_look_parts", in_waitall_look_parts, by_rest},
    {"waitall_parts", in_waitall_parts, by_rest},
    {"lowat", in_lowat, by_mark},
    {"lowat_read", in_lowat_read, by_mark},
    {"lowat_readv", in_lowat_readv, by_mark},
    {"recvmmsg", in_recvmmsg, by_rest},
    {"accept", in_accept, by_time},
    {"zerocopy", in_zerocopy, by_reading},
    {"send", in_send, by_reading},
    {"write", in_write, by_reading},
    {"writev", in_writev, by_reading},
    {"sendmsg", in_sendmsg, by_reading},
    {"sendmmsg", in_sendmmsg, by_reading},
    {"sendfile", in_sendfile, by_reading},
    {"splice", in_splice, by_reading},
    {"nanosleep", in_nanosleep, by_time},
    {"clock_nanosleep", in_clock_nanosleep, by_time},
    {"sleep", in_sleep, by_time},
    {"usleep", in_usleep, by_time},
    {"thrd_sleep", in_thrd_sleep, by_time},
    {"sem_timedwait", in_sem_timedwait, by_time},
    {"sem_clockwait", in_sem_clockwait, by_time},
    {"sigwaitinfo", in_sigwaitinfo, by_signal},
    {"sigtimedwait", in_sigtimedwait, by_signal},
    {"semop", in_semop, by_semaphore},
    {"semtimedop", in_semtimedop, by_semaphore},
};

#endif
