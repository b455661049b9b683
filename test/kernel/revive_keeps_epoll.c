/* A socket revived in place stays in its epoll sets, level- and edge-triggered, and reports there.
 *
 * Source: epoll keys its items by struct file and fd (fs/eventpoll.c); connect() and setsockopt() change neither, nor the
 * wait queue that ep_poll_callback() hangs on.
 * Relied on by: revive in place instead of dup2() of a new socket. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <sys/epoll.h>

static int events_of(int epoll, int milliseconds) {
    struct epoll_event event = {0};

    return need(epoll_wait(epoll, &event, 1, milliseconds)) ? (int)event.events : 0;
}

static int epoll_with(int fd, uint32_t events) {
    int epoll = need(epoll_create1(EPOLL_CLOEXEC));
    struct epoll_event event = {.events = events};

    need(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
    return epoll;
}

static void body(int family) {
    struct connection connection;
    static struct saved saved;
    int level, edge;

    hosts_up();
    connection = connect_hosts(family);
    level = epoll_with(connection.b, EPOLLIN);
    edge = epoll_with(connection.b, EPOLLIN | EPOLLET);
    enter(B);
    lock(connection.b);
    save(connection.b, &saved);
    revive(connection.b, &saved);
    events_of(edge, 0); /* an edge from the revival is harmless: the reader finds EAGAIN */
    expect(!events_of(level, 0), "level-triggered: readable without data");
    expect(!events_of(edge, 0), "edge-triggered: an edge without data");

    send_pattern(connection.a, 0, 1000);
    expect(events_of(level, 1000) == EPOLLIN, "level-triggered: data is not reported");
    expect(events_of(edge, 1000) == EPOLLIN, "edge-triggered: data is not reported");
    expect(!events_of(edge, 0), "edge-triggered: the same edge twice");
    expect(receive_pattern(connection.b, 0, 1000) == 1000, "the bytes did not come");
    send_pattern(connection.a, 1000, 1000);
    expect(events_of(edge, 1000) == EPOLLIN, "edge-triggered: the next edge is not reported");

    lock(connection.b);
    save(connection.b, &saved);
    revive(connection.b, &saved);
    expect(events_of(level, 0) & EPOLLIN, "level-triggered: data that was saved unread is not reported");
    expect(receive_pattern(connection.b, 1000, 1000) == 1000, "the unread bytes did not stay");
    holds("both report data after the revival, each edge once");
}

int main(void) { return check_families(body); }
