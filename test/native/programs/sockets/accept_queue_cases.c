#include "accept/accept_queue.h"
#include "cases.h"
#include "accept/gate.h"
#include "socket/lock.h"
#include "accept/peer.h"
#include "pair.h"
#include "pod.h"
#include "tcp/sequences.h"
#include "socket/socket.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SOON_MS 900
#define CLIENTS_MAX 200

static struct failure failure;

/* A listening socket at address 1 and its clients, of whom none is accepted. */
struct queue {
    enum kind kind;
    int listener, clients[CLIENTS_MAX];
    size_t count;
    struct stream there[CLIENTS_MAX]; /* what each client sends */
    bool ended[CLIENTS_MAX];          /* and whether that is all */
    struct queued_socket *taken;
    struct tcp_saved saved[CLIENTS_MAX], peers[CLIENTS_MAX];
};

static struct queue queue;

static void open_queue(enum kind kind, int backlog) {
    union socket_address address = address_of(kind, 1, 0);

    queue = (struct queue){.kind = kind};
    pod_make();
    pod_enter();
    queue.listener = (int)need(socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    pod_leave();
    need(bind(queue.listener, &address.any, socket_address_length(&address)));
    need(listen(queue.listener, backlog));
}

/* Connects a client, which says this at once. */
static void join(size_t bytes) {
    union socket_address address;
    size_t i = queue.count++;

    need(socket_local(queue.listener, &address));
    queue.clients[i] = (int)need(socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    need(connect(queue.clients[i], &address.any, socket_address_length(&address)));
    queue.there[i] = (struct stream){.from = queue.clients[i], .to = -1};
    stream_write(&queue.there[i], bytes);
    expect(queue.there[i].written == bytes, "only %zu of %zu bytes fitted", queue.there[i].written, bytes);
}

static void end(size_t i) {
    shut(queue.clients[i]);
    queue.ended[i] = true;
}

static void take_all(void) {
    int fds[CLIENTS_MAX];
    size_t count;

    returns(socket_lock(&queue.listener, 1, 0, &failure), 0);
    returns(accept_queue_take(queue.listener, &queue.taken, &count), 0);
    expect(count == queue.count, "%zu of %zu were taken", count, queue.count);
    for (size_t i = 0; i < count; i++) fds[i] = queue.taken[i].socket.fd;
    returns(socket_lock(fds, count, 0, &failure), 0);
    returns(socket_lock(queue.clients, count, 0, &failure), 0);
    returns(tcp_save(fds, count, queue.saved, &failure), 0);
    tcp_close_silently(fds, count);
}

/* Puts all back into the same queue, or, with the clients following, into that of address `number`. */
static int fill(int number) {
    struct waiting_connection waiting[CLIENTS_MAX];

    for (size_t i = 0; i < queue.count; i++) {
        const struct tcp_saved *saved = &queue.saved[i];

        waiting[i] = (struct waiting_connection){.listener = queue.listener,
                                                 .saved = saved,
                                                 .local = saved->local,
                                                 .remote = saved->remote,
                                                 .receive_buffer = queue.taken[i].receive_buffer,
                                                 .peer_stays = number == 1};
        if (number != 1) waiting[i].local = address_of(queue.kind, number, socket_address_port(&saved->local));
    }
    return accept_queue_fill(waiting, queue.count, pod_path(), own_path(), &failure);
}

static void let_go(void) {
    returns(socket_unlock(&queue.listener, 1, &failure), 0);
    returns(socket_unlock(queue.clients, queue.count, &failure), 0);
    for (size_t i = 0; i < queue.count; i++) tcp_saved_clear(&queue.saved[i]);
    free(queue.taken);
}

/* The next connection is that of client i, with all that it said, and both ends go on. */
static void serve(size_t i) {
    struct stream *there = &queue.there[i], back = {.to = queue.clients[i]};
    union socket_address client, seen;
    int fd = there->to = back.from = (int)need(accept4(queue.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));

    need(socket_remote(fd, address_of(queue.kind, 1, 0).any.sa_family, &seen));
    need(socket_local(queue.clients[i], &client));
    expect(socket_address_equal(&seen, &client), "another client than %zu", i);
    stream_drain(there, SOON_MS);
    if (!queue.ended[i]) {
        stream_write(there, 3000);
        stream_drain(there, SOON_MS);
    }
    stream_write(&back, 3000);
    stream_drain(&back, SOON_MS);
}

static void put_back(enum kind kind) {
    open_queue(kind, 10);
    join(0);
    join(1);
    join(50000);
    take_all();
    returns(fill(1), 0);
    let_go();
    for (size_t i = 0; i < queue.count; i++) serve(i);
    expect(!poll_for(queue.listener, POLLIN, 0), "there is one too many");
}

static void put_back_v4(void) { put_back(V4); }
static void put_back_v6(void) { put_back(V6); }
static void put_back_mapped(void) { put_back(MAPPED); }

/* It is done twice: what was put into the queue can be taken out of it again. */
static void put_back_again(void) {
    open_queue(V4, 10);
    join(0);
    join(20000);
    for (int round = 0; round < 2; round++) {
        take_all();
        returns(fill(1), 0);
        let_go();
    }
    serve(0);
    serve(1);
}

static void put_back_with_its_end(void) {
    char byte;

    open_queue(V4, 10);
    join(7000);
    end(0);
    take_all();
    expect(queue.saved[0].fin_received, "no FIN was received");
    returns(fill(1), 0);
    let_go();
    serve(0);
    expect(recv(queue.there[0].to, &byte, 1, MSG_DONTWAIT) == 0, "no end: errno %d", errno);
}

/* Whoever accepts it is told: by the error behind the bytes that came before. */
static void put_back_reset(void) {
    struct linger now = {.l_onoff = 1};
    struct waiting_connection waiting;
    struct tcp_saved saved;
    uint8_t bytes[8000];
    size_t count;
    int fd;

    open_queue(V4, 10);
    join(7000);
    need(setsockopt(queue.clients[0], SOL_SOCKET, SO_LINGER, &now, sizeof now));
    close(queue.clients[0]);
    returns(socket_lock(&queue.listener, 1, 0, &failure), 0);
    returns(accept_queue_take(queue.listener, &queue.taken, &count), 0);
    expect(count == 1 && queue.taken[0].socket.state == TCP_CLOSE, "state %d", queue.taken[0].socket.state);
    returns(accept_queue_save_reset(queue.taken[0].socket.fd, &queue.taken[0].socket.remote, &saved), 0);
    close(queue.taken[0].socket.fd);
    waiting = (struct waiting_connection){.listener = queue.listener,
                                          .saved = &saved,
                                          .local = saved.local,
                                          .remote = saved.remote,
                                          .receive_buffer = queue.taken[0].receive_buffer,
                                          .peer_stays = true};
    returns(accept_queue_fill(&waiting, 1, pod_path(), own_path(), &failure), 0);
    tcp_saved_clear(&saved);
    free(queue.taken);
    fd = (int)need(accept4(queue.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    expect(recv(fd, bytes, sizeof bytes, 0) == 7000, "not all bytes");
    expect(recv(fd, bytes, sizeof bytes, 0) < 0 && errno == ECONNRESET, "errno %d", errno);
}

static void resets_dropped(enum kind kind) {
    union socket_address near, far;
    struct peer peer;
    struct tcp_sequences numbers;
    struct peer_segment reset = {.flags = TH_RST};
    struct timeval soon = {.tv_usec = 100000};
    int link, fd;
    char byte;

    open_queue(kind, 10);
    join(0);
    link = (int)need(gate_drop_resets(pod_path()));
    need(socket_local(queue.listener, &near));
    need(socket_local(queue.clients[0], &far));
    returns(tcp_sequences(&near, &far, &numbers), 0);
    reset.seq = numbers.rcv_nxt;
    need(peer_open(&peer, &near, &far, 0));
    need(peer_send(&peer, &reset));
    serve(0);
    fd = queue.there[0].to;
    returns(tcp_sequences(&near, &far, &numbers), 0);
    reset.seq = numbers.rcv_nxt;
    need(peer_send(&peer, &reset));
    need(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon));
    expect(recv(fd, &byte, 1, 0) < 0 && errno == EAGAIN, "errno %d", errno);
    close(link);
    need(peer_send(&peer, &reset));
    expect(poll_for(fd, POLLHUP, SOON_MS), "no reset when the link is closed");
    peer_close(&peer);
}

static void resets_dropped_v4(void) { resets_dropped(V4); }
static void resets_dropped_v6(void) { resets_dropped(V6); }
static void resets_dropped_mapped(void) { resets_dropped(MAPPED); }

static void lock_clients(void) { returns(tcp_save(queue.clients, queue.count, queue.peers, &failure), 0); }

/* The clients follow to another address, as an agent makes them. */
static void follow(int number) {
    for (size_t i = 0; i < queue.count; i++) {
        struct tcp_saved *peer = &queue.peers[i];
        union socket_address remote = address_of(queue.kind, number, socket_address_port(&peer->remote));

        returns(tcp_revive(queue.clients[i], peer, &peer->local, &remote, queue.saved[i].rcv_nxt, &failure), 0);
    }
    returns(tcp_release(queue.clients, queue.count, &failure), 0);
}

static void move_on(enum kind kind) {
    union socket_address address = address_of(kind, 2, 0);
    int other;

    open_queue(kind, 10);
    join(0);
    join(5000);
    join(100);
    end(2);
    take_all();
    lock_clients();
    pod_enter();
    other = (int)need(socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    pod_leave();
    address = address_of(kind, 2, socket_address_port(&queue.saved[0].local));
    need(bind(other, &address.any, socket_address_length(&address)));
    need(listen(other, 10));
    close(queue.listener);
    queue.listener = other;
    returns(socket_lock(&other, 1, 0, &failure), 0);
    returns(fill(2), 0);
    follow(2);
    let_go();
    for (size_t i = 0; i < queue.count; i++) serve(i);
    expect(poll_for(queue.there[2].to, POLLRDHUP, SOON_MS), "the FIN did not come again");
}

static void move_v4(void) { move_on(V4); }
static void move_v6(void) { move_on(V6); }
static void move_mapped(void) { move_on(MAPPED); }

/* An edge that the program had seen already may be shown again, one that it has not must be. */
static void edge_is_seen(void) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET}, seen;
    int set = (int)need(epoll_create1(EPOLL_CLOEXEC));

    open_queue(V4, 10);
    need(epoll_ctl(set, EPOLL_CTL_ADD, queue.listener, &event));
    join(10);
    expect(need(epoll_wait(set, &seen, 1, SOON_MS)) == 1, "no edge at first");
    take_all();
    expect(need(epoll_wait(set, &seen, 1, 0)) == 0, "an edge for what was taken");
    returns(fill(1), 0);
    let_go();
    expect(need(epoll_wait(set, &seen, 1, SOON_MS)) == 1, "no edge for what was put back");
    serve(0);
}

/*
 * A connection comes back to the socket that it was taken from, whichever of a group its addresses would choose here.
 */
static void one_of_a_group(void) {
    union socket_address address = address_of(V4, 1, 0);
    int group[4], waiting_at[4][40], one = 1;
    struct waiting_connection waiting[40];
    size_t total = 0;

    open_queue(V4, 1);
    pod_enter();
    for (int i = 0; i < 4; i++) {
        group[i] = (int)need(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        need(setsockopt(group[i], SOL_SOCKET, SO_REUSEPORT, &one, sizeof one));
        need(bind(group[i], &address.any, socket_address_length(&address)));
        if (i == 0) need(socket_local(group[0], &address));
        need(listen(group[i], 40));
    }
    pod_leave();
    close(queue.listener);
    queue.listener = group[0];
    for (int i = 0; i < 40; i++) join(10);
    returns(socket_lock(group, 4, 0, &failure), 0);
    returns(socket_lock(queue.clients, queue.count, 0, &failure), 0);
    for (int i = 0; i < 4; i++) {
        struct queued_socket *taken;
        size_t count;

        returns(accept_queue_take(group[i], &taken, &count), 0);
        waiting_at[i][0] = (int)count;
        for (size_t k = 0; k < count; k++, total++) {
            returns(socket_lock(&taken[k].socket.fd, 1, 0, &failure), 0);
            returns(tcp_save(&taken[k].socket.fd, 1, &queue.saved[total], &failure), 0);
            waiting[total] = (struct waiting_connection){.listener = group[3 - i],
                                                         .saved = &queue.saved[total],
                                                         .local = queue.saved[total].local,
                                                         .remote = queue.saved[total].remote,
                                                         .receive_buffer = taken[k].receive_buffer,
                                                         .peer_stays = true};
            tcp_close_silently(&taken[k].socket.fd, 1);
        }
        free(taken);
    }
    expect(total == 40, "%zu were taken", total);
    returns(accept_queue_fill(waiting, total, pod_path(), own_path(), &failure), 0);
    total = 0;
    for (int i = 0; i < 4; i++)
        for (int k = 0; k < waiting_at[i][0]; k++, total++) {
            int fd = (int)need(accept4(group[3 - i], NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
            union socket_address seen;

            need(socket_remote(fd, AF_INET, &seen));
            expect(socket_address_equal(&seen, &queue.saved[total].remote), "another one at %d", i);
            close(fd);
            tcp_saved_clear(&queue.saved[total]);
        }
}

static void two_hundred(void) {
    open_queue(V4, CLIENTS_MAX);
    for (size_t i = 0; i < CLIENTS_MAX; i++) join(i * 10);
    take_all();
    returns(fill(1), 0);
    let_go();
    for (size_t i = 0; i < CLIENTS_MAX; i++) serve(i);
}

/* A queue takes one more than its backlog. */
static void as_full_as_before(void) {
    open_queue(V4, 2);
    for (int i = 0; i < 3; i++) join(10);
    take_all();
    returns(fill(1), 0);
    returns(fill(1), -ENOSPC);
    expect(failure.index == 0, "at %zu", failure.index);
    let_go();
    for (size_t i = 0; i < queue.count; i++) serve(i);
}

static int option(int level, int name) {
    int value;

    need(socket_get(queue.listener, level, name, &value));
    return value;
}

/* What the program has set on its listening socket decides about new connections, and is as it was afterwards. */
static void settings_stay(void) {
    int size, locks, after;

    open_queue(V4, 10);
    need(socket_set(queue.listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5));
    size = option(SOL_SOCKET, SO_RCVBUF);
    locks = option(SOL_SOCKET, SO_BUF_LOCK);
    join(100);
    after = option(IPPROTO_TCP, TCP_DEFER_ACCEPT);
    take_all();
    expect(queue.taken[0].receive_buffer == size, "%d bytes, not %d", queue.taken[0].receive_buffer, size);
    returns(fill(1), 0);
    let_go();
    expect(option(SOL_SOCKET, SO_RCVBUF) == size, "SO_RCVBUF %d, not %d", option(SOL_SOCKET, SO_RCVBUF), size);
    expect(option(SOL_SOCKET, SO_BUF_LOCK) == locks, "SO_BUF_LOCK %d", option(SOL_SOCKET, SO_BUF_LOCK));
    expect(option(IPPROTO_TCP, TCP_DEFER_ACCEPT) == after, "TCP_DEFER_ACCEPT %d",
           option(IPPROTO_TCP, TCP_DEFER_ACCEPT));
    serve(0);
    need(socket_get(queue.there[0].to, SOL_SOCKET, SO_RCVBUF, &after));
    expect(after == size, "SO_RCVBUF %d of the accepted one", after);
    need(socket_get(queue.there[0].to, SOL_SOCKET, SO_BUF_LOCK, &after));
    expect(after == locks, "SO_BUF_LOCK %d of the accepted one", after);
}

/*
 * The scale that was agreed on stays, whatever this host would choose now; the window's right edge does not come back.
 */
static void window_stays(void) {
    static const int sizes[] = {2048, 65536, 1 << 20, 16 << 20};

    open_queue(V4, 10);
    for (int i = 0; i < 4; i++) {
        need(socket_set(queue.listener, SOL_SOCKET, SO_RCVBUFFORCE, sizes[i]));
        join(1000);
    }
    need(socket_set(queue.listener, SOL_SOCKET, SO_RCVBUFFORCE, 65536));
    take_all();
    returns(fill(1), 0);
    for (int i = 0; i < 4; i++) {
        int fd = (int)need(accept4(queue.listener, NULL, NULL, SOCK_CLOEXEC));
        const struct tcp_repair_window *before = &queue.saved[i].window;
        struct tcp_saved now;
        int moved;

        returns(socket_lock(&fd, 1, 0, &failure), 0);
        returns(tcp_save(&fd, 1, &now, &failure), 0);
        expect(now.rcv_wscale == queue.saved[i].rcv_wscale, "scale %d, not %d", now.rcv_wscale,
               queue.saved[i].rcv_wscale);
        expect(now.snd_wscale == queue.saved[i].snd_wscale, "scale %d, not %d", now.snd_wscale,
               queue.saved[i].snd_wscale);
        expect(now.options == queue.saved[i].options, "options %x, not %x", now.options, queue.saved[i].options);
        expect(now.mss_clamp == queue.saved[i].mss_clamp, "MSS %u, not %u", now.mss_clamp, queue.saved[i].mss_clamp);
        expect(now.snd_una == queue.saved[i].snd_una && now.rcv_nxt == queue.saved[i].rcv_nxt, "other numbers");
        moved = (int)(now.window.rcv_wup + now.window.rcv_wnd - before->rcv_wup - before->rcv_wnd);
        expect(moved >= 0 && moved < 65536, "the right edge moved by %d", moved);
        expect(now.timestamp - queue.saved[i].timestamp < 10000, "a clock that goes back: %d",
               (int)(now.timestamp - queue.saved[i].timestamp));
        tcp_saved_clear(&now);
        close(fd);
    }
}

/* Nothing is said to the other end, and what it says meanwhile is not answered. */
static void silent(void) {
    long sent;

    open_queue(V4, 10);
    join(5000);
    take_all();
    sent = counter("/proc/self/net/snmp", "Tcp:", "InSegs");
    returns(fill(1), 0);
    sent = counter("/proc/self/net/snmp", "Tcp:", "InSegs") - sent;
    expect(sent == 5, "%ld segments, not FIN, SYN, ACK, data and one old", sent);
    let_go();
    serve(0);
}

const struct test_case accept_queue_cases[] = {
    {"waiting connections go back into their queue, in order (IPv4)", put_back_v4},
    {"waiting connections go back into their queue, in order (IPv6)", put_back_v6},
    {"waiting connections go back into their queue, in order (IPv4 in IPv6)", put_back_mapped},
    {"waiting connections can be taken and put back again", put_back_again},
    {"a waiting connection goes back with the end that was received", put_back_with_its_end},
    {"a connection that was reset while it waited is found reset", put_back_reset},
    {"no reset reaches a pod's sockets (IPv4)", resets_dropped_v4},
    {"no reset reaches a pod's sockets (IPv6)", resets_dropped_v6},
    {"no reset reaches a pod's sockets (IPv4 in IPv6)", resets_dropped_mapped},
    {"waiting connections go into another queue, and their peers follow (IPv4)", move_v4},
    {"waiting connections go into another queue, and their peers follow (IPv6)", move_v6},
    {"waiting connections go into another queue, and their peers follow (IPv4 in IPv6)", move_mapped},
    {"an edge-triggered epoll set reports what was put back", edge_is_seen},
    {"a connection goes into the queue of one socket of an SO_REUSEPORT group", one_of_a_group},
    {"two hundred waiting connections go back", two_hundred},
    {"a queue takes as many as before and no more", as_full_as_before},
    {"a listening socket's settings are as they were", settings_stay},
    {"window, scale, MSS and clock are as they were", window_stays},
    {"filling a queue is not heard outside", silent},
    {0},
};
