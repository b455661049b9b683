/* A queue repaired too full ends short, in ENOBUFS (receive, at tcp_rmem[2]) or EAGAIN (send, at SO_SNDBUF, which can be raised).
 *
 * Source: tcp_send_rcvq() and tcp_try_rmem_schedule() in net/ipv4/tcp_input.c (one skb per call, so at most 17 pages and a
 * bit; sk_rcvbuf grows up to tcp_rmem[2]); sk_stream_memory_free() in tcp_sendmsg_locked(), net/ipv4/tcp.c; SO_BUF_LOCK in
 * sk_setsockopt(), net/core/sock.c, gives autotuning back after SO_SNDBUFFORCE.
 * Relied on by: revive takes short counts, uses MSG_DONTWAIT (a blocking send() would wait for ever), raises SO_SNDBUF first
 * and unlocks it after. */
#include "harness/bulk.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <errno.h>
#include <string.h>

static uint8_t bytes[1 << 20];

/* Fills a queue by sends of that size. Returns how much it took and what ended it. */
static size_t fill(int fd, int queue, size_t size, size_t most, int *error) {
    size_t total = 0;
    ssize_t taken = 0;

    set_option(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);
    while (total < most && (taken = send(fd, bytes, size, MSG_DONTWAIT)) > 0) total += taken;
    *error = taken < 0 ? errno : 0;
    return total;
}

static void revived(int family, struct connection *connection) {
    static struct saved saved;

    *connection = connect_hosts(family);
    enter(B);
    lock(connection->b);
    save(connection->b, &saved);
    revive_empty(connection->b, &saved);
}

static void body(int family) {
    const int large = 4 << 20;
    struct connection connection;
    size_t total;
    int error, before;

    hosts_up();
    revived(family, &connection);
    set_option(connection.b, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_RECV_QUEUE);
    total = need(send(connection.b, bytes, sizeof(bytes), MSG_DONTWAIT));
    expect(total < sizeof(bytes), "one send() put %zu bytes into the receive queue", total);
    before = get_option(connection.b, SOL_SOCKET, SO_RCVBUF);
    total = fill(connection.b, TCP_RECV_QUEUE, 65536, 1 << 30, &error);
    expect(error == ENOBUFS, "a full receive queue: %s, not ENOBUFS", strerror(error));
    expect(total > (size_t)before, "SO_RCVBUF did not grow from %d", before);

    revived(family, &connection);
    before = get_option(connection.b, SOL_SOCKET, SO_SNDBUF);
    total = fill(connection.b, TCP_SEND_QUEUE, 65536, large, &error);
    expect(error == EAGAIN, "a send queue of %zu bytes, SO_SNDBUF %d: %s, not EAGAIN", total, before, strerror(error));
    set_option(connection.b, SOL_SOCKET, SO_SNDBUFFORCE, large);
    total += fill(connection.b, TCP_SEND_QUEUE, 65536, large - total, &error);
    expect(!error, "a send queue of %zu bytes under SO_SNDBUFFORCE %d: %s", total, large, strerror(error));
    expect(get_option(connection.b, SOL_SOCKET, SO_BUF_LOCK) & 1, "SO_SNDBUFFORCE did not lock SO_SNDBUF");
    set_option(connection.b, SOL_SOCKET, SO_BUF_LOCK, 0);
    expect(!(get_option(connection.b, SOL_SOCKET, SO_BUF_LOCK) & 1), "SO_BUF_LOCK did not unlock it");
    holds("receive: short, then ENOBUFS; send: EAGAIN at SO_SNDBUF, 4 MiB after SO_SNDBUFFORCE, unlocked again");
}

int main(void) { return check_families(body); }
