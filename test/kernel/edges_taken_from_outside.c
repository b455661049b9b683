/* Who waits on an epoll set takes its edges, also from outside, and EPOLL_CTL_MOD on its file at its number puts one back.
 *
 * Source: ep_send_events(), ep_modify() and ep_find() in fs/eventpoll.c: an item goes back to the ready list where it is
 * level-triggered; a modified one does where its file has something to tell; it is found by struct file and number.
 * ep_show_fdinfo() there shows numbers, events and data.
 * Relied on by: restore and rebind, after which a program is not told once more of what it was told. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OUTSIDE = 70 };

struct program {
    int level, edge, number, asked[2];
};

static int events_of(int epoll) {
    struct epoll_event event = {0};

    return need(epoll_wait(epoll, &event, 1, 0)) ? (int)event.events : 0;
}

static int epoll_with(int fd, uint32_t events) {
    int epoll = need(epoll_create1(0));
    struct epoll_event event = {.events = events, .data.u64 = 42};

    need(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    return epoll;
}

/* Exits with what its sets tell when it is asked: 1 for the level, 2 for the edge. */
static int wait_on_sets(void *argument) {
    struct program *program = argument;
    char byte;

    need(read(program->asked[0], &byte, 1));
    return (events_of(program->level) == EPOLLOUT) | (events_of(program->edge) == EPOLLOUT) << 1;
}

static bool fdinfo_shows(pid_t pid, int epoll, int number) {
    char path[64], line[256], wanted[64];
    bool found = false;

    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, epoll);
    snprintf(wanted, sizeof wanted, "tfd: %8d events: %8x data: %16x ", number,
             EPOLLOUT | EPOLLET | EPOLLERR | EPOLLHUP, 42);
    FILE *info = fopen(path, "r");
    while (info && fgets(line, sizeof line, info)) found |= strncmp(line, wanted, strlen(wanted)) == 0;
    return found;
}

static int with_edges(bool put_back) {
    struct connection connection = connect_hosts(AF_INET);
    struct epoll_event event = {.events = EPOLLOUT | EPOLLET, .data.u64 = 42};
    struct program program = {.number = connection.b};
    int pidfd, level, edge, file;
    pid_t pid;

    program.level = epoll_with(connection.b, EPOLLOUT);
    program.edge = epoll_with(connection.b, EPOLLOUT | EPOLLET);
    need(pipe(program.asked));
    pid = start(wait_on_sets, &program);
    need(close(connection.b));
    pidfd = need(syscall(SYS_pidfd_open, pid, 0));
    level = need(syscall(SYS_pidfd_getfd, pidfd, program.level, 0));
    edge = need(syscall(SYS_pidfd_getfd, pidfd, program.edge, 0));
    file = need(syscall(SYS_pidfd_getfd, pidfd, program.number, 0));
    expect(fdinfo_shows(pid, program.edge, program.number), "fdinfo does not show the item");
    expect(events_of(level) == EPOLLOUT && events_of(edge) == EPOLLOUT, "not told from outside");
    expect(!events_of(edge), "the edge was not taken");
    if (put_back) {
        need(dup2(file, OUTSIDE));
        expect(epoll_ctl(edge, EPOLL_CTL_MOD, OUTSIDE, &event) && errno == ENOENT, "found by another number");
        need(dup2(file, program.number));
        need(epoll_ctl(edge, EPOLL_CTL_MOD, program.number, &event));
    }
    need(write(program.asked[1], "", 1));
    return finish(pid);
}

static void body(void) {
    hosts_up();
    expect(with_edges(false) == 1, "an edge that was taken is told, or a level is not");
    expect(with_edges(true) == 3, "an edge that was put back is not told");
    holds("an edge was taken from a program and put back, a level was told all the same");
}

int main(void) { return check(body); }
