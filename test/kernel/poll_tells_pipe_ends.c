/* poll tells of a pipe's end whether the other end is open nowhere, of a FIFO too: POLLHUP to a reader, POLLERR to a writer.
 *
 * Source: pipe_poll() in fs/pipe.c looks at pipe->writers and pipe->readers, which count open files, whoever has them: also a
 * process that has the end by fork(2), or in a message that nobody has received. A FIFO that had no writer since it was opened for
 * reading without waiting tells nothing (filp->f_pipe).
 * Relied on by: the preflight. An end that the program has not got and poll tells nothing of is another program's. */
#include "harness/result.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int told(int fd) {
    struct pollfd asked = {fd, POLLIN | POLLOUT, 0};

    need(poll(&asked, 1, 0));
    return asked.revents & (POLLHUP | POLLERR);
}

/* Closes `end`, which a child has too until it ends; then `other` is told. */
static void close_twice(int end, int other, int wanted) {
    pid_t child = need(fork());

    if (child == 0) pause();
    close(end);
    expect(told(other) == 0, "it is told of an end that another process has");
    need(kill(child, SIGKILL));
    need(waitpid(child, NULL, 0));
    expect(told(other) == wanted, "it is told %d, not %d, of an end that nobody has", told(other), wanted);
}

static void ends(int reader, int writer, bool closes_reader) {
    expect(told(reader) == 0 && told(writer) == 0, "it is told of ends that are open");
    if (closes_reader)
        close_twice(reader, writer, POLLERR);
    else
        close_twice(writer, reader, POLLHUP);
}

static void body(void) {
    char path[256];

    snprintf(path, sizeof(path), "%s/fifo", work_folder());
    need(mkfifo(path, 0600));
    for (int closes_reader = 0; closes_reader < 2; closes_reader++) {
        int made[2], reader, writer;

        need(pipe(made));
        ends(made[0], made[1], closes_reader);
        reader = need(open(path, O_RDONLY | O_NONBLOCK));
        expect(told(reader) == 0, "a FIFO is told of a writer that it never had");
        writer = need(open(path, O_WRONLY));
        ends(reader, writer, closes_reader);
        close(closes_reader ? writer : reader);
    }
    holds("pipes and FIFOs, with ends that another process had as well");
}

int main(void) { return check(body); }
