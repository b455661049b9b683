#include "cases.h"
#include "socket/lock.h"
#include "pair.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>

#define NO_TIMEOUT_MS 900

static struct failure failure;

static int state_of(int fd) {
    struct tcp_info info;
    socklen_t length = sizeof info;

    need(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length));
    return info.tcpi_state;
}

/* The other end's answer may still be under way. */
static void expect_state(int fd, int state) {
    double end = milliseconds_now() + NO_TIMEOUT_MS;

    while (state_of(fd) != state) expect(milliseconds_now() < end, "state %d, not %d", state_of(fd), state);
}

static void expect_end(struct stream *stream) {
    char byte;

    stream_drain(stream, NO_TIMEOUT_MS);
    expect(poll_for(stream->to, POLLIN, NO_TIMEOUT_MS), "no end");
    expect(need(recv(stream->to, &byte, 1, MSG_DONTWAIT)) == 0, "more than was written");
}

struct end {
    bool shut, locked_before; /* locked: the other end's FIN is still unacknowledged */
    int state;
};

/*
 * Both ends are shut as the case says, with data in both queues, and moved; all bytes cross, then each end that was
 * said.
 */
static void move(enum kind kind, struct end a, struct end b) {
    struct pair pair = pair_open(kind);
    struct stream there = {.from = pair.a, .to = pair.b}, back = {.from = pair.b, .to = pair.a};

    stream_write(&there, 40000);
    stream_write(&back, 30000);
    if (a.locked_before) returns(socket_lock(&pair.a, 1, 0, &failure), 0);
    if (b.locked_before) returns(socket_lock(&pair.b, 1, 0, &failure), 0);
    if (a.shut) shut(pair.a);
    if (b.shut) shut(pair.b);
    expect_state(pair.a, a.state);
    expect_state(pair.b, b.state);
    pair_move(&pair);
    if (!a.shut) {
        stream_write(&there, 1000);
        stream_drain(&there, NO_TIMEOUT_MS);
        shut(pair.a);
    }
    if (!b.shut) {
        stream_write(&back, 1000);
        stream_drain(&back, NO_TIMEOUT_MS);
        shut(pair.b);
    }
    expect_end(&there);
    expect_end(&back);
}

static void acknowledged(void) {
    for (enum kind kind = V4; kind < KINDS; kind++) {
        move(kind, (struct end){true, false, TCP_FIN_WAIT2}, (struct end){false, false, TCP_CLOSE_WAIT});
        move(kind, (struct end){false, false, TCP_CLOSE_WAIT}, (struct end){true, false, TCP_FIN_WAIT2});
    }
}

static void not_received(void) {
    move(V4, (struct end){true, false, TCP_FIN_WAIT1}, (struct end){false, true, TCP_ESTABLISHED});
    move(V4, (struct end){false, true, TCP_ESTABLISHED}, (struct end){true, false, TCP_FIN_WAIT1});
}

static void acknowledgement_lost(void) {
    move(V4, (struct end){true, true, TCP_FIN_WAIT1}, (struct end){false, false, TCP_CLOSE_WAIT});
}

static void both_not_received(void) {
    move(V4, (struct end){true, true, TCP_FIN_WAIT1}, (struct end){true, true, TCP_FIN_WAIT1});
}

/* b has received a's FIN, whose acknowledgement was lost, and has sent its own. */
static void last_ack(void) {
    move(V4, (struct end){true, true, TCP_FIN_WAIT1}, (struct end){true, false, TCP_LAST_ACK});
}

/* Both FINs cross; only b receives the other's, and nobody an acknowledgement. */
static void closing(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b}, back = {.from = pair.b, .to = pair.a};

    returns(socket_lock(&pair.a, 2, 0, &failure), 0);
    shut(pair.b);
    returns(socket_unlock(&pair.b, 1, &failure), 0);
    shut(pair.a);
    expect_state(pair.a, TCP_FIN_WAIT1);
    expect_state(pair.b, TCP_CLOSING);
    pair_move(&pair);
    expect_end(&there);
    expect_end(&back);
}

/* One FIN lies behind data that is not read yet, another the reader has seen. */
static void end_was_read(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b}, back = {.from = pair.b, .to = pair.a};

    stream_write(&there, 5000);
    shut(pair.a);
    expect_end(&there);
    pair_move(&pair);
    expect_end(&there);
    stream_write(&back, 5000);
    shut(pair.b);
    expect_end(&back);
}

static void full_queue(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b};

    stream_write(&there, 64 << 20);
    shut(pair.a);
    expect_state(pair.a, TCP_FIN_WAIT1);
    pair_move(&pair);
    expect_end(&there);
}

static void closed_is_refused(void) {
    struct pair pair = pair_open(V4);
    struct tcp_saved saved[2];
    struct linger reset = {1, 0};

    need(setsockopt(pair.a, SOL_SOCKET, SO_LINGER, &reset, sizeof reset));
    returns(socket_lock(&pair.a, 2, 0, &failure), 0);
    returns(socket_unlock(&pair.b, 1, &failure), 0);
    need(connect(pair.a, &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr))); /* sends a reset */
    expect_state(pair.b, TCP_CLOSE);
    returns(socket_lock(&pair.b, 1, 0, &failure), 0);
    returns(tcp_save(&pair.b, 1, saved, &failure), -EOPNOTSUPP);
}

const struct test_case half_closed_cases[] = {
    {"moved in FIN_WAIT2 and CLOSE_WAIT", acknowledged},
    {"moved in FIN_WAIT1 and ESTABLISHED", not_received},
    {"moved in FIN_WAIT1 and CLOSE_WAIT", acknowledgement_lost},
    {"moved in FIN_WAIT1 at both ends", both_not_received},
    {"moved in FIN_WAIT1 and LAST_ACK", last_ack},
    {"moved in FIN_WAIT1 and CLOSING", closing},
    {"moved after the end was read", end_was_read},
    {"moved with a FIN behind a full queue", full_queue},
    {"save refuses a connection that was reset", closed_is_refused},
    {NULL, NULL},
};
