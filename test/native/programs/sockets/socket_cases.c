/* Options, urgent data, collecting and live sequence numbers. */
#include "cases.h"
#include "socket/lock.h"
#include "pair.h"
#include "tcp/sequences.h"
#include "socket/collect.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LAST_OPTION 100

static struct failure failure;

struct option {
    int level, option;
    socklen_t length;
    uint8_t value[64];
};

static const int levels[] = {SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6};

/* These are no options, but tell what a socket is doing. */
static const struct {
    int level, option;
} states[] = {
    {SOL_SOCKET, SO_ERROR},
    {SOL_SOCKET, SO_MEMINFO},
    {SOL_SOCKET, SO_INCOMING_NAPI_ID},
    {SOL_SOCKET, SO_INCOMING_CPU},
    {IPPROTO_TCP, TCP_INFO},
    {IPPROTO_TCP, TCP_CC_INFO},
    {IPPROTO_TCP, TCP_TIMESTAMP},
    {IPPROTO_TCP, TCP_QUICKACK},
    {IPPROTO_TCP, TCP_MAXSEG},
    {IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE},
    {IPPROTO_IP, IP_MTU},
    {IPPROTO_IPV6, IPV6_MTU},
    {IPPROTO_IPV6, IPV6_PATHMTU},
    {IPPROTO_IPV6, IPV6_V6ONLY}, /* set by bind(2) to an address (__inet6_bind in net/ipv6/af_inet6.c) */
};

static bool is_state(int level, int option) {
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (states[i].level == level && states[i].option == option) return true;
    return false;
}

static size_t read_options(int fd, struct option *options) {
    size_t count = 0;

    for (size_t level = 0; level < sizeof levels / sizeof *levels; level++)
        for (int option = 1; option < LAST_OPTION; option++) {
            struct option *one = &options[count];

            if (is_state(levels[level], option)) continue;
            *one = (struct option){levels[level], option, sizeof one->value, {0}};
            if (getsockopt(fd, levels[level], option, one->value, &one->length) == 0) count++;
        }
    return count;
}

static void set(int fd, int level, int option, int value) { need(setsockopt(fd, level, option, &value, sizeof value)); }

static void options_stay_over(enum kind kind) {
    struct pair pair = pair_open(kind);
    static struct option before[4 * LAST_OPTION], after[4 * LAST_OPTION];
    size_t count;

    set(pair.a, IPPROTO_TCP, TCP_NODELAY, 1);
    set(pair.a, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(pair.a, IPPROTO_TCP, TCP_KEEPIDLE, 77);
    set(pair.a, IPPROTO_TCP, TCP_USER_TIMEOUT, 77000);
    set(pair.a, IPPROTO_TCP, TCP_WINDOW_CLAMP, 40000);
    set(pair.a, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 12345);
    set(pair.a, IPPROTO_TCP, TCP_LINGER2, 17);
    set(pair.a, IPPROTO_IP, IP_TOS, 0x10);
    set(pair.a, IPPROTO_IP, IP_TTL, 33);
    set(pair.a, SOL_SOCKET, SO_PRIORITY, 3);
    set(pair.a, SOL_SOCKET, SO_PEEK_OFF, 5);
    set(pair.a, SOL_SOCKET, SO_RCVLOWAT, 2);
    setsockopt(pair.a, IPPROTO_TCP, 45 /* TCP_RTO_MIN_US */, &(int){100000}, sizeof(int));
    setsockopt(pair.a, IPPROTO_TCP, 46 /* TCP_DELACK_MAX_US */, &(int){20000}, sizeof(int));
    need(setsockopt(pair.a, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    count = read_options(pair.a, before);
    pair_move(&pair);
    read_options(pair.a, after);
    for (size_t i = 0; i < count; i++)
        expect(memcmp(&before[i], &after[i], sizeof *before) == 0, "level %d option %d: %d became %d", before[i].level,
               before[i].option, *(int *)before[i].value, *(int *)after[i].value);
}

static void flow_label_stays(void) {
    union socket_address address = address_of(V6, 1, 0), remote;
    struct pair pair = {V6, (int)need(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)), -1};
    int listener = (int)need(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));

    set(listener, SOL_SOCKET, SO_REUSEADDR, 1);
    need(bind(listener, &address.any, socket_address_length(&address)));
    need(listen(listener, 1));
    need(socket_local(listener, &address));
    address.v6.sin6_flowinfo = htonl(0x12345);
    set(pair.a, IPPROTO_IPV6, 33 /* IPV6_FLOWINFO_SEND */, 1);
    need(connect(pair.a, &address.any, socket_address_length(&address)));
    pair.b = (int)need(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    pair_move(&pair);
    need(socket_remote(pair.a, AF_INET6, &remote));
    expect(remote.v6.sin6_flowinfo == htonl(0x12345), "%x", ntohl(remote.v6.sin6_flowinfo));
}

static void urgent_data(void) {
    struct pair pair = pair_open(V4);
    struct stream there = {.from = pair.a, .to = pair.b};
    struct tcp_saved saved[2];
    char byte;

    stream_write(&there, 10);
    need(send(pair.a, "!", 1, MSG_OOB));
    need(send(pair.a, "after", 5, 0));
    returns(socket_lock(&pair.a, 2, 0, &failure), 0);
    returns(tcp_save(&pair.a, 2, saved, &failure), -EOPNOTSUPP);
    expect(failure.index == 1, "index %zu", failure.index);
    need(recv(pair.b, &byte, 1, MSG_OOB)); /* also shows that it left repair */
    returns(tcp_save(&pair.b, 1, saved, &failure), -EOPNOTSUPP);
    stream_drain(&there, 100);
    need(recv(pair.b, &byte, 1, 0)); /* passes the mark */
    returns(tcp_save(&pair.b, 1, saved, &failure), 0);
    expect(saved[0].receive_length == 4, "%u bytes", saved[0].receive_length);
    tcp_saved_clear(&saved[0]);
}

static void options_stay(void) {
    for (enum kind kind = V4; kind < KINDS; kind++) options_stay_over(kind);
}

/* A connection that is bound to a device is found like any other. */
static void bound_to_device(void) {
    struct pair pair = pair_open(V4);
    struct tcp_sequences found;
    union socket_address a, b;

    need(socket_local(pair.a, &a));
    need(socket_local(pair.b, &b));
    need(setsockopt(pair.a, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3));
    returns(tcp_sequences(&a, &b, &found), 0);
}

static void live_sequences(void) {
    for (enum kind kind = V4; kind < KINDS; kind++) {
        struct pair pair = pair_open(kind);
        struct stream there = {.from = pair.a, .to = pair.b};
        union socket_address a, b, none = address_of(kind, 1, 9);
        struct tcp_sequences before, after;
        struct tcp_saved saved[2];

        need(socket_local(pair.a, &a));
        need(socket_local(pair.b, &b));
        returns(tcp_sequences(&a, &b, &before), 0);
        stream_write(&there, 1000);
        returns(tcp_sequences(&a, &b, &after), 0);
        expect(after.snd_nxt == before.snd_nxt + 1000 && after.rcv_nxt == before.rcv_nxt, "kind %d: not 1000 on", kind);
        returns(tcp_sequences(&b, &none, &after), -ENOENT); /* b's address listens too */
        pair_save(&pair, saved);
        returns(tcp_sequences(&b, &a, &after), 0);
        expect(after.rcv_nxt == saved[1].rcv_nxt && after.snd_nxt == saved[1].snd_una, "kind %d: not as saved", kind);
        tcp_saved_clear(&saved[0]);
        tcp_saved_clear(&saved[1]);
    }
}

static void sequences_after_setns(void) {
    struct pair pair = pair_open(V4);
    union socket_address a, b;
    struct tcp_sequences found;

    need(socket_local(pair.a, &a));
    need(socket_local(pair.b, &b));
    returns(tcp_sequences(&a, &b, &found), 0);
    network_make();
    returns(tcp_sequences(&a, &b, &found), -ENOENT);
}

static void collect(void) {
    int unix_pair[2], copy, udp = (int)need(socket(AF_INET6, SOCK_DGRAM, 0));
    struct pair pair = pair_open(V4);
    struct program_socket *found;
    size_t count;
    pid_t child;

    need(socketpair(AF_UNIX, SOCK_STREAM, 0, unix_pair));
    copy = (int)need(dup(pair.a));
    child = (pid_t)need(fork());
    if (child == 0) {
        pause();
        _exit(0);
    }
    returns(socket_collect((pid_t[]){child, getpid()}, 2, &found, &count, &failure), 0);
    expect(count == 4, "%zu sockets", count); /* the datagram one, the listener, both ends */
    expect(found[0].pid == child && found[0].pfd == udp && found[0].type == SOCK_DGRAM && found[0].state == 0, "udp");
    expect(found[1].state == TCP_LISTEN && found[1].backlog == 0, "listener: state %d", found[1].state);
    expect(found[2].pfd == pair.a && found[2].state == TCP_ESTABLISHED && found[2].pfd < copy, "connection");
    for (size_t i = 0; i < count; i++) close(found[i].fd);
    free(found);
    need(kill(child, SIGKILL));
    need(waitpid(child, NULL, 0));
    /* A process that has ended, as one of a running program may at any time, has no sockets; it is no failure. */
    returns(socket_collect(&child, 1, &found, &count, &failure), 0);
    expect(count == 0, "%zu sockets of a process that has ended", count);
    free(found);
}

const struct test_case socket_cases[] = {
    {"every socket option stays", options_stay},
    {"the flow label of a connection stays", flow_label_stays},
    {"save refuses urgent data until it is passed", urgent_data},
    {"live sequence numbers", live_sequences},
    {"sequence numbers of a socket that is bound to a device", bound_to_device},
    {"sequence numbers of the network namespace that the process is in", sequences_after_setns},
    {"collects every inet socket once", collect},
    {NULL, NULL},
};
