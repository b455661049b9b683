#include "cases.h"
#include "socket/lock.h"
#include "pair.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NO_TIMEOUT_MS 900 /* a retransmission timeout after a revive would take one to three seconds */
#define MEGABYTE (1024 * 1024)

static struct failure failure;

static void unsave_goes_on(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b}, back = {.from = pair.b, .to = pair.a};
    struct tcp_saved saved[2];
    int reuse;

    stream_write(&there, 5000);
    pair_save(&pair, saved);
    expect(saved[1].receive_length == 5000 && saved[1].send_length == 0, "%u and %u bytes", saved[1].receive_length,
           saved[1].send_length);
    tcp_saved_clear(&saved[0]);
    tcp_saved_clear(&saved[1]);
    returns(tcp_unsave(&pair.a, 2, &failure), 0);
    returns(socket_unlock(&pair.a, 2, &failure), 0);
    need(getsockopt(pair.b, SOL_SOCKET, SO_REUSEADDR, &reuse, &(socklen_t){sizeof reuse}));
    expect(reuse == 1, "SO_REUSEADDR %d", reuse);
    stream_write(&there, 5000);
    stream_write(&back, 5000);
    stream_drain(&there, NO_TIMEOUT_MS);
    stream_drain(&back, NO_TIMEOUT_MS);
}

static void move_with_full_queues(enum kind kind) {
    struct pair pair = pair_open(kind);
    struct stream there = {.from = pair.a, .to = pair.b}, back = {.from = pair.b, .to = pair.a};

    stream_write(&there, 3 * MEGABYTE);
    stream_read(&there, MEGABYTE, NO_TIMEOUT_MS);
    stream_write(&there, 64 * MEGABYTE);
    stream_write(&back, 64 * MEGABYTE);
    expect(there.written > 4 * MEGABYTE, "only %zu bytes fitted", there.written);
    pair_move(&pair);
    stream_drain(&there, NO_TIMEOUT_MS);
    stream_drain(&back, NO_TIMEOUT_MS);
    stream_write(&there, 1000);
    stream_write(&back, 1000);
    stream_drain(&there, NO_TIMEOUT_MS);
    stream_drain(&back, NO_TIMEOUT_MS);
}

static void full_queues_v4(void) { move_with_full_queues(V4); }
static void full_queues_v6(void) { move_with_full_queues(V6); }
static void full_queues_mapped(void) { move_with_full_queues(MAPPED); }

static void moved_addresses(void) {
    for (enum kind kind = V4; kind < KINDS; kind++) {
        struct pair pair = pair_open(kind);
        union socket_address a, b, seen, a_before, b_before;

        need(socket_local(pair.a, &a_before));
        need(socket_local(pair.b, &b_before));
        pair_move(&pair);
        a = address_of(kind, 2, socket_address_port(&a_before));
        b = address_of(kind, 3, socket_address_port(&b_before));
        need(socket_local(pair.a, &seen));
        expect(socket_address_equal(&seen, &a), "kind %d: the local address of a", kind);
        need(socket_remote(pair.a, seen.any.sa_family, &seen));
        expect(socket_address_equal(&seen, &b), "kind %d: the remote address of a", kind);
    }
}

static void lost_acknowledgements(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b};
    struct tcp_saved saved[2];

    returns(socket_lock(&pair.a, 1, 0, &failure), 0); /* b's acknowledgements do not reach a */
    stream_write(&there, 20000);
    expect(poll_for(pair.b, POLLIN, NO_TIMEOUT_MS), "nothing came");
    pair_save(&pair, saved);
    expect(saved[0].send_length == 20000, "%u bytes not acknowledged", saved[0].send_length);
    expect(saved[1].rcv_nxt - saved[0].snd_una > 0, "b has none of them");
    pair_revive(&pair, saved);
    returns(tcp_release(&pair.a, 2, &failure), 0);
    stream_drain(&there, NO_TIMEOUT_MS);
    expect(!poll_for(pair.b, POLLIN, 50), "more came than was written");
}

static void unsent_data(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b};

    returns(socket_lock(&pair.b, 1, 0, &failure), 0); /* b has none of it */
    stream_write(&there, 2 * MEGABYTE);
    pair_move(&pair);
    stream_drain(&there, NO_TIMEOUT_MS);
}

static void revive_is_silent(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b}, back = {.from = pair.b, .to = pair.a};
    struct tcp_saved saved[2];
    long before;

    stream_write(&there, 64 * MEGABYTE);
    stream_write(&back, 100);
    pair_save(&pair, saved);
    before = segments_sent();
    pair_revive(&pair, saved);
    usleep(300000); /* longer than any timer of the kernel but the window probe's */
    expect(segments_sent() == before, "%ld segments left", segments_sent() - before);
    returns(tcp_release(&pair.a, 2, &failure), 0);
    stream_drain(&there, NO_TIMEOUT_MS);
    stream_drain(&back, NO_TIMEOUT_MS);
}

static void expect_acknowledged(int fd) {
    double end = milliseconds_now() + NO_TIMEOUT_MS;
    int length = 0;

    do {
        expect(milliseconds_now() < end, "%d bytes are not acknowledged", length);
        need(ioctl(fd, SIOCOUTQ, &length));
    } while (length);
}

/* The peer is released while the program is not: it must not lose a segment to the program's lock. */
static void peer_released_first(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b}, back = {.from = pair.b, .to = pair.a};
    struct tcp_saved saved[2];
    long again;

    stream_write(&back, 3000);
    pair_save(&pair, saved);
    pair_revive(&pair, saved);
    again = segments_again();
    returns(tcp_release(&pair.b, 1, &failure), 0);
    stream_write(&back, 3000);
    expect_acknowledged(pair.b);
    returns(tcp_release(&pair.a, 1, &failure), 0);
    stream_drain(&back, NO_TIMEOUT_MS);
    stream_write(&there, 3000);
    stream_drain(&there, NO_TIMEOUT_MS);
    expect(segments_again() == again, "%ld segments were sent twice", segments_again() - again);
}

/* One end reads between the other's lock and its own save, so the other's view of its window is old. */
static void window_updates_lost(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b};

    stream_write(&there, 64 * MEGABYTE);
    returns(socket_lock(&pair.a, 1, 0, &failure), 0);
    stream_read(&there, 50000, NO_TIMEOUT_MS);
    pair_move(&pair);
    stream_drain(&there, NO_TIMEOUT_MS);
}

static void window_edge_stays(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b};
    struct tcp_saved saved[2], again[2];

    stream_write(&there, 100000);
    stream_read(&there, 50000, NO_TIMEOUT_MS);
    pair_save(&pair, saved);
    memcpy(again, saved, sizeof again);
    pair_revive(&pair, saved);
    returns(tcp_save(&pair.b, 1, &saved[1], &failure), 0);
    expect(
        saved[1].window.rcv_wup + saved[1].window.rcv_wnd == again[1].window.rcv_wup + again[1].window.rcv_wnd,
        "the right edge moved by %d",
        (int)(saved[1].window.rcv_wup + saved[1].window.rcv_wnd - again[1].window.rcv_wup - again[1].window.rcv_wnd));
    expect(saved[1].receive_length == 50000, "%u bytes", saved[1].receive_length);
    tcp_saved_clear(&saved[1]);
}

static void epoll_edges(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b};
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u32 = 7};
    int set = (int)need(epoll_create1(EPOLL_CLOEXEC));

    need(epoll_ctl(set, EPOLL_CTL_ADD, pair.b, &event));
    pair_move(&pair);
    while (need(epoll_wait(set, &event, 1, 0)) > 0)
        expect(!(event.events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)), "events %x of the move are left", event.events);
    stream_write(&there, 100);
    expect(need(epoll_wait(set, &event, 1, NO_TIMEOUT_MS)) == 1 && event.data.u32 == 7, "no event");
    expect(event.events == EPOLLIN, "events %x", event.events);
    stream_drain(&there, NO_TIMEOUT_MS);
}

static void small_buffers(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b};
    int send_size = 4096, receive_size = 32768, limit = 1000, one = 1, before, after, locks;

    stream_write(&there, 64 * MEGABYTE);
    need(setsockopt(pair.a, SOL_SOCKET, SO_SNDBUF, &send_size, sizeof send_size));
    need(setsockopt(pair.b, SOL_SOCKET, SO_RCVBUF, &receive_size, sizeof receive_size));
    need(setsockopt(pair.a, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &limit, sizeof limit));
    need(setsockopt(pair.a, IPPROTO_TCP, TCP_CORK, &one, sizeof one));
    need(getsockopt(pair.a, SOL_SOCKET, SO_SNDBUF, &before, &(socklen_t){sizeof before}));
    pair_move(&pair);
    need(getsockopt(pair.a, SOL_SOCKET, SO_SNDBUF, &after, &(socklen_t){sizeof after}));
    need(getsockopt(pair.a, SOL_SOCKET, SO_BUF_LOCK, &locks, &(socklen_t){sizeof locks}));
    expect(before == after, "SO_SNDBUF %d became %d", before, after);
    expect(locks == 1, "SO_BUF_LOCK %d", locks);
    stream_drain(&there, 3000);
}

static void wrong_peer_number(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b};
    struct tcp_saved saved[2];

    pair_save(&pair, saved);
    returns(tcp_revive(pair.a, &saved[0], &saved[0].local, &saved[0].remote, saved[0].snd_una - 1, &failure), -EINVAL);
    returns(tcp_revive(pair.a, &saved[0], &saved[0].local, &saved[0].remote, saved[0].snd_una + 1, &failure), -EINVAL);
    returns(tcp_unsave(&pair.a, 2, &failure), 0);
    returns(socket_unlock(&pair.a, 2, &failure), 0);
    stream_write(&there, 1000);
    stream_drain(&there, NO_TIMEOUT_MS);
}

/* A failed revive leaves a closed socket, which another revive fills. */
static void revive_after_failure(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b};
    union socket_address elsewhere;
    struct tcp_saved saved[2];

    stream_write(&there, 1000);
    pair_save(&pair, saved);
    need(socket_address_parse(&elsewhere, AF_INET, "192.0.2.1", 1));
    returns(tcp_revive(pair.a, &saved[0], &elsewhere, &saved[0].remote, saved[1].rcv_nxt, &failure), -EADDRNOTAVAIL);
    expect(strcmp(failure.step, "bind") == 0, "%s", failure.step);
    pair_revive(&pair, saved);
    returns(tcp_release(&pair.a, 2, &failure), 0);
    stream_write(&there, 1000);
    stream_drain(&there, NO_TIMEOUT_MS);
}

static void closing_is_silent(void) {
    struct pair pair = pair_open(V4);
    struct tcp_saved saved[2];
    long before;

    pair_save(&pair, saved);
    before = segments_sent();
    tcp_close_silently(&pair.a, 1);
    expect(segments_sent() == before, "%ld segments left", segments_sent() - before);
    tcp_saved_clear(&saved[0]);
    tcp_saved_clear(&saved[1]);
}

const struct test_case move_cases[] = {
    {"save and unsave: the connection goes on", unsave_goes_on},
    {"moved with full queues, IPv4", full_queues_v4},
    {"moved with full queues, IPv6", full_queues_v6},
    {"moved with full queues, IPv4 in IPv6", full_queues_mapped},
    {"moved ends have the new addresses and the old ports", moved_addresses},
    {"moved while acknowledgements were lost: no byte twice", lost_acknowledgements},
    {"moved while data was lost: no byte missing, no timeout", unsent_data},
    {"revive sends nothing", revive_is_silent},
    {"a peer that is released first loses nothing", peer_released_first},
    {"a window that grew unseen does not stall", window_updates_lost},
    {"the receive window keeps its right edge", window_edge_stays},
    {"edge-triggered epoll goes on", epoll_edges},
    {"queues larger than the buffers", small_buffers},
    {"a peer's number outside the send queue is refused, nothing is touched", wrong_peer_number},
    {"a failed revive can be done again", revive_after_failure},
    {"closing silently sends nothing", closing_is_silent},
    {NULL, NULL},
};
