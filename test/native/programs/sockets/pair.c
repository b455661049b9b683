#include "pair.h"

#include "cases.h"
#include "socket/lock.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const char *const text[KINDS] = {"127.0.0.%d", "fd77::%d", "::ffff:127.0.0.%d"};

union socket_address address_of(enum kind kind, int number, uint16_t port) {
    union socket_address address;
    char string[64];

    snprintf(string, sizeof string, text[kind], number);
    need(socket_address_parse(&address, kind == V4 ? AF_INET : AF_INET6, string, port));
    return address;
}

static void add_v6(int number) {
    struct {
        struct in6_addr address;
        uint32_t prefix;
        int index;
    } request = {address_of(V6, number, 0).v6.sin6_addr, 128, 1}; /* struct in6_ifreq of linux/ipv6.h */
    int fd = (int)need(socket(AF_INET6, SOCK_DGRAM, 0));

    need(ioctl(fd, 0x8916 /* SIOCSIFADDR */, &request));
    close(fd);
}

/* The kernel completes a new IPv6 address a moment later, on a loopback too. */
static void wait_for_v6(int number) {
    union socket_address address = address_of(V6, number, 0);
    int fd = (int)need(socket(AF_INET6, SOCK_DGRAM, 0));

    while (bind(fd, &address.any, socket_address_length(&address))) expect(errno == EADDRNOTAVAIL, "errno %d", errno);
    close(fd);
}

void network_make(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd;

    need(unshare(CLONE_NEWNET));
    fd = (int)need(socket(AF_INET, SOCK_DGRAM, 0));
    need(ioctl(fd, SIOCSIFFLAGS, &request));
    close(fd);
    for (int number = 1; number <= 3; number++) add_v6(number);
    for (int number = 1; number <= 3; number++) wait_for_v6(number);
}

struct pair pair_open(enum kind kind) {
    union socket_address address = address_of(kind, 1, 0);
    int family = address.any.sa_family, one = 1;
    int listener = (int)need(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    struct pair pair = {.kind = kind, .a = (int)need(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0))};

    need(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one));
    need(bind(listener, &address.any, socket_address_length(&address)));
    need(listen(listener, 1000));
    need(socket_local(listener, &address));
    need(connect(pair.a, &address.any, socket_address_length(&address)));
    pair.b = (int)need(accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC));
    need(ioctl(pair.a, FIONBIO, &one));
    return pair;
}

void shut(int fd) { need(shutdown(fd, SHUT_WR)); }

void pair_save(const struct pair *pair, struct tcp_saved saved[2]) {
    struct failure failure;

    returns(socket_lock(&pair->a, 2, 0, &failure), 0);
    returns(tcp_save(&pair->a, 2, saved, &failure), 0);
}

void pair_revive(const struct pair *pair, struct tcp_saved saved[2]) {
    union socket_address a = address_of(pair->kind, 2, socket_address_port(&saved[0].local));
    union socket_address b = address_of(pair->kind, 3, socket_address_port(&saved[1].local));
    struct failure failure;

    returns(tcp_revive(pair->a, &saved[0], &a, &b, saved[1].rcv_nxt, &failure), 0);
    returns(tcp_revive(pair->b, &saved[1], &b, &a, saved[0].rcv_nxt, &failure), 0);
    tcp_saved_clear(&saved[0]);
    tcp_saved_clear(&saved[1]);
}

void pair_move(const struct pair *pair) {
    struct tcp_saved saved[2];
    struct failure failure;

    pair_save(pair, saved);
    pair_revive(pair, saved);
    returns(tcp_release(&pair->a, 2, &failure), 0);
}

static uint8_t pattern(size_t offset) { return (uint8_t)(offset ^ (offset >> 8) ^ (offset >> 16) * 7); }

void stream_write(struct stream *stream, size_t size) {
    uint8_t bytes[16384];

    while (size > 0) {
        size_t piece = size < sizeof bytes ? size : sizeof bytes;
        ssize_t sent;

        for (size_t i = 0; i < piece; i++) bytes[i] = pattern(stream->written + i);
        sent = send(stream->from, bytes, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EAGAIN) return;
        need(sent);
        stream->written += (size_t)sent;
        size -= (size_t)sent;
    }
}

void stream_read(struct stream *stream, size_t size, int milliseconds) {
    double end = milliseconds_now() + milliseconds;
    uint8_t bytes[65536];

    while (size > 0) {
        ssize_t got;

        expect(poll_for(stream->to, POLLIN, (int)(end - milliseconds_now()) + 1), "%zu of %zu bytes came in %d ms",
               stream->read, stream->written, milliseconds);
        got = need(recv(stream->to, bytes, size < sizeof bytes ? size : sizeof bytes, MSG_DONTWAIT));
        expect(got > 0, "the stream ended after %zu of %zu bytes", stream->read, stream->written);
        for (ssize_t i = 0; i < got; i++)
            expect(bytes[i] == pattern(stream->read + (size_t)i), "byte %zu is wrong", stream->read + (size_t)i);
        stream->read += (size_t)got;
        size -= (size_t)got;
    }
}

void stream_drain(struct stream *stream, int milliseconds) {
    stream_read(stream, stream->written - stream->read, milliseconds);
}

bool poll_for(int fd, short events, int milliseconds) {
    struct pollfd poller = {.fd = fd, .events = events};

    return need(poll(&poller, 1, milliseconds < 0 ? 0 : milliseconds)) == 1 && (poller.revents & events);
}

long counter(const char *file, const char *group, const char *name) {
    char names[8192], values[8192], *save_name, *save_value;
    FILE *lines = fopen(file, "r");
    long found = -1;

    expect(lines, "cannot read %s", file);
    while (found < 0 && fgets(names, sizeof names, lines) && fgets(values, sizeof values, lines)) {
        char *one = strtok_r(names, " \n", &save_name), *value = strtok_r(values, " \n", &save_value);

        if (strcmp(one, group) != 0) continue;
        while (one && value && strcmp(one, name) != 0) {
            one = strtok_r(NULL, " \n", &save_name);
            value = strtok_r(NULL, " \n", &save_value);
        }
        if (value) found = atol(value);
    }
    fclose(lines);
    expect(found >= 0, "no %s %s in %s", group, name, file);
    return found;
}

/* OutSegs leaves out what was sent again, and both leave out resets. */
long segments_sent(void) {
    return counter("/proc/self/net/snmp", "Tcp:", "OutSegs") + counter("/proc/self/net/snmp", "Tcp:", "OutRsts") +
           segments_again();
}

long segments_again(void) { return counter("/proc/self/net/snmp", "Tcp:", "RetransSegs"); }

double milliseconds_now(void) {
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}
