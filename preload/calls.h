/*
 * Every call that the shim wraps, in one table. It is included several times, and gives the pointers to libc's own
 * functions (libc.NAME, shim.h), our functions' declarations (shim_NAME, shim.h) and the exported functions (start.c).
 *
 *   CALL(result, name, parameters, arguments)           name calls shim_name; libc.name is libc's
 *   VARIANT(result, name, of, parameters, arguments)    another name of shim_of
 *   VARIADIC(result, name, parameters)                  written out in process.c
 *
 * All types are those of an LP64 system: there the calls with and without 64 are the same.
 */

/* New descriptors: lifetimes.c, receive.c. */
CALL(int, socket, (int family, int type, int protocol), (family, type, protocol))
CALL(int, accept, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))
CALL(int, accept4, (int fd, struct sockaddr *address, socklen_t *length, int flags), (fd, address, length, flags))
CALL(int, dup, (int fd), (fd))
CALL(int, dup2, (int from, int to), (from, to))
VARIANT(int, __dup2, dup2, (int from, int to), (from, to))
CALL(int, dup3, (int from, int to, int flags), (from, to, flags))
/* The third argument is in the same register whether it is declared or variadic (System V x86-64, AAPCS64). */
CALL(int, fcntl, (int fd, int command, void *argument), (fd, command, argument))
VARIANT(int, __fcntl, fcntl, (int fd, int command, void *argument), (fd, command, argument))
VARIANT(int, fcntl64, fcntl, (int fd, int command, void *argument), (fd, command, argument))
CALL(int, pidfd_getfd, (int pidfd, int target, unsigned int flags), (pidfd, target, flags))

/* The end of descriptors: lifetimes.c. */
CALL(int, close, (int fd), (fd))
VARIANT(int, __close, close, (int fd), (fd))
CALL(int, close_range, (unsigned int first, unsigned int last, int flags), (first, last, flags))
CALL(void, closefrom, (int first), (first))
CALL(int, fclose, (FILE * stream), (stream))
VARIANT(int, _IO_fclose, fclose, (FILE * stream), (stream))

/* State and names: names.c. */
CALL(int, bind, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))
CALL(int, connect, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))
VARIANT(int, __connect, connect, (int fd, const struct sockaddr *address, socklen_t length), (fd, address, length))
CALL(int, listen, (int fd, int backlog), (fd, backlog))
CALL(int, shutdown, (int fd, int how), (fd, how))
CALL(int, getsockname, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))
CALL(int, getpeername, (int fd, struct sockaddr *address, socklen_t *length), (fd, address, length))

/* Options that the kernel shows to nobody: options.c. */
CALL(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t length),
     (fd, level, name, value, length))
CALL(int, getsockopt, (int fd, int level, int name, void *value, socklen_t *length), (fd, level, name, value, length))

/* Data: receive.c, send.c. */
CALL(ssize_t, read, (int fd, void *buffer, size_t size), (fd, buffer, size))
VARIANT(ssize_t, __read, read, (int fd, void *buffer, size_t size), (fd, buffer, size))
CALL(ssize_t, __read_chk, (int fd, void *buffer, size_t size, size_t room), (fd, buffer, size, room))
CALL(ssize_t, readv, (int fd, const struct iovec *parts, int count), (fd, parts, count))
CALL(ssize_t, preadv2, (int fd, const struct iovec *parts, int count, off_t offset, int flags),
     (fd, parts, count, offset, flags))
VARIANT(ssize_t, preadv64v2, preadv2, (int fd, const struct iovec *parts, int count, off_t offset, int flags),
        (fd, parts, count, offset, flags))
CALL(ssize_t, recv, (int fd, void *buffer, size_t size, int flags), (fd, buffer, size, flags))
CALL(ssize_t, __recv_chk, (int fd, void *buffer, size_t size, size_t room, int flags), (fd, buffer, size, room, flags))
CALL(ssize_t, recvfrom, (int fd, void *buffer, size_t size, int flags, struct sockaddr *from, socklen_t *length),
     (fd, buffer, size, flags, from, length))
CALL(ssize_t, __recvfrom_chk,
     (int fd, void *buffer, size_t size, size_t room, int flags, struct sockaddr *from, socklen_t *length),
     (fd, buffer, size, room, flags, from, length))
CALL(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
CALL(int, recvmmsg, (int fd, struct mmsghdr *messages, unsigned int count, int flags, struct timespec *timeout),
     (fd, messages, count, flags, timeout))
CALL(ssize_t, write, (int fd, const void *buffer, size_t size), (fd, buffer, size))
VARIANT(ssize_t, __write, write, (int fd, const void *buffer, size_t size), (fd, buffer, size))
CALL(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
CALL(ssize_t, pwritev2, (int fd, const struct iovec *parts, int count, off_t offset, int flags),
     (fd, parts, count, offset, flags))
VARIANT(ssize_t, pwritev64v2, pwritev2, (int fd, const struct iovec *parts, int count, off_t offset, int flags),
        (fd, parts, count, offset, flags))
CALL(ssize_t, send, (int fd, const void *buffer, size_t size, int flags), (fd, buffer, size, flags))
VARIANT(ssize_t, __send, send, (int fd, const void *buffer, size_t size, int flags), (fd, buffer, size, flags))
CALL(ssize_t, sendto, (int fd, const void *buffer, size_t size, int flags, const struct sockaddr *to, socklen_t length),
     (fd, buffer, size, flags, to, length))
CALL(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
CALL(int, sendmmsg, (int fd, struct mmsghdr *messages, unsigned int count, int flags), (fd, messages, count, flags))
CALL(ssize_t, sendfile, (int out, int in, off_t *offset, size_t count), (out, in, offset, count))
VARIANT(ssize_t, sendfile64, sendfile, (int out, int in, off_t *offset, size_t count), (out, in, offset, count))
CALL(ssize_t, splice, (int in, off_t *in_offset, int out, off_t *out_offset, size_t size, unsigned int flags),
     (in, in_offset, out, out_offset, size, flags))

/* Waiting for what a freeze or a restore ends with EINTR: wait.c. */
CALL(int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
VARIANT(int, __poll, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
CALL(int, __poll_chk, (struct pollfd * fds, nfds_t count, int timeout, size_t room), (fds, count, timeout, room))
CALL(int, epoll_wait, (int fd, struct epoll_event *events, int room, int timeout), (fd, events, room, timeout))
CALL(int, epoll_pwait, (int fd, struct epoll_event *events, int room, int timeout, const sigset_t *mask),
     (fd, events, room, timeout, mask))
CALL(int, epoll_pwait2,
     (int fd, struct epoll_event *events, int room, const struct timespec *timeout, const sigset_t *mask),
     (fd, events, room, timeout, mask))
CALL(int, nanosleep, (const struct timespec *time, struct timespec *left), (time, left))
VARIANT(int, __nanosleep, nanosleep, (const struct timespec *time, struct timespec *left), (time, left))
CALL(int, clock_nanosleep, (clockid_t clock, int flags, const struct timespec *time, struct timespec *left),
     (clock, flags, time, left))
CALL(unsigned int, sleep, (unsigned int seconds), (seconds))
CALL(int, usleep, (useconds_t microseconds), (microseconds))
CALL(int, thrd_sleep, (const struct timespec *time, struct timespec *left), (time, left))
CALL(int, sem_timedwait, (sem_t * semaphore, const struct timespec *until), (semaphore, until))
CALL(int, sem_clockwait, (sem_t * semaphore, clockid_t clock, const struct timespec *until), (semaphore, clock, until))
CALL(int, sigtimedwait, (const sigset_t *set, siginfo_t *info, const struct timespec *timeout), (set, info, timeout))
CALL(int, sigwaitinfo, (const sigset_t *set, siginfo_t *info), (set, info))
CALL(int, semop, (int id, struct sembuf *operations, size_t count), (id, operations, count))
CALL(int, semtimedop, (int id, struct sembuf *operations, size_t count, const struct timespec *timeout),
     (id, operations, count, timeout))

/* Signal handlers: signals.c. */
CALL(int, sigaction, (int number, const struct sigaction *action, struct sigaction *old), (number, action, old))
VARIANT(int, __sigaction, sigaction, (int number, const struct sigaction *action, struct sigaction *old),
        (number, action, old))
CALL(sighandler_t, signal, (int number, sighandler_t handler), (number, handler))
VARIANT(sighandler_t, bsd_signal, signal, (int number, sighandler_t handler), (number, handler))
VARIANT(sighandler_t, ssignal, signal, (int number, sighandler_t handler), (number, handler))
CALL(sighandler_t, sysv_signal, (int number, sighandler_t handler), (number, handler))
VARIANT(sighandler_t, __sysv_signal, sysv_signal, (int number, sighandler_t handler), (number, handler))
CALL(sighandler_t, sigset, (int number, sighandler_t handler), (number, handler))
CALL(int, siginterrupt, (int number, int interrupts), (number, interrupts))

/* Processes: process.c. */
CALL(pid_t, fork, (void), ())
VARIANT(pid_t, __fork, fork, (void), ())
CALL(pid_t, _Fork, (void), ())
VARIANT(pid_t, vfork, _Fork, (void), ())
VARIANT(pid_t, __vfork, _Fork, (void), ())
CALL(void, _exit, (int status), (status))
VARIANT(void, _Exit, _exit, (int status), (status))
CALL(int, execve, (const char *path, char *const arguments[], char *const environment[]),
     (path, arguments, environment))
CALL(int, execv, (const char *path, char *const arguments[]), (path, arguments))
CALL(int, execvp, (const char *file, char *const arguments[]), (file, arguments))
CALL(int, execvpe, (const char *file, char *const arguments[], char *const environment[]),
     (file, arguments, environment))
CALL(int, fexecve, (int fd, char *const arguments[], char *const environment[]), (fd, arguments, environment))
CALL(int, execveat, (int folder, const char *path, char *const arguments[], char *const environment[], int flags),
     (folder, path, arguments, environment, flags))
VARIADIC(int, execl, (const char *path, const char *argument, ...))
VARIADIC(int, execlp, (const char *file, const char *argument, ...))
VARIADIC(int, execle, (const char *path, const char *argument, ...))

#undef CALL
#undef VARIANT
#undef VARIADIC
