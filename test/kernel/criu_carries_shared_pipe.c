/* criu carries a pipe with data in it whose both ends the program has, although a process outside has ends of it too.
 *
 * Source: CRIU 4.2, dump_one_pipe_data() in criu/pipes.c copies the data with tee(), so that it stays outside too; it does
 * not look for ends that other processes have.
 * Relied on by: the stdio pipes of a program, whose other ends both its init and the supervisor have open. */
#include "harness/criu.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ends[2];

static int idle(void *argument) {
    (void)argument;
    return pause();
}

static void body(void) {
    pid_t original, restored;
    char outside[16] = "", inside[16] = "";
    int count;

    hosts_up();
    need(pipe(ends));
    expect(ends[1] == ends[0] + 1, "pipe ends %d and %d", ends[0], ends[1]);
    need(write(ends[1], "in the pipe", 11));
    original = start_program(idle, NULL, (struct fds){ends[0], ends[1]});
    wait_sleeping_in(original, SYS_pause);
    cgroup_freeze(NULL, true);
    criu_dump(original, NULL);
    need(ioctl(ends[0], FIONREAD, &count));
    expect(count == 11, "%d of 11 bytes are in the pipe outside after the dump", count);
    restored = criu_restore();
    expect(need(read(fd_of(restored, ends[0]), inside, sizeof(inside))) == 11 && !strcmp(inside, "in the pipe"),
           "inside: %s", inside);
    need(write(fd_of(restored, ends[1]), "again", 5));
    expect(need(read(fd_of(restored, ends[0]), inside, sizeof(inside))) == 5, "the restored ends are not of one pipe");
    expect(need(read(ends[0], outside, sizeof(outside))) == 11 && !strcmp(outside, "in the pipe"), "outside: %s",
           outside);
    holds("11 bytes in the restored pipe, and still in the original one; the restored one goes on");
}

int main(void) { return check(body); }
