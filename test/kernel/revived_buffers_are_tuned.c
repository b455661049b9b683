/* Buffers of a socket that is revived in place stay as large as the kernel has tuned them, and it goes on tuning them.
 *
 * Source: tcp_disconnect() in net/ipv4/tcp.c leaves sk_rcvbuf, sk_sndbuf and sk_userlocks alone; tcp_rcv_space_adjust() and
 * tcp_sndbuf_expand() in net/ipv4/tcp_input.c let them grow where SO_BUF_LOCK names neither. sk_setsockopt() in
 * net/core/sock.c locks a size that is set, also with SO_RCVBUFFORCE, until SO_BUF_LOCK unlocks it.
 * Relied on by: revive, which widens a buffer for a long queue and narrows it again; a stream is as fast after a move. */
#include "harness/bulk.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

enum { LITTLE = 16 << 10, MUCH = 32 << 20 };

static int receive_buffer(int fd) { return get_option(fd, SOL_SOCKET, SO_RCVBUF); }

static void revive_in_place(int fd) {
    static struct saved saved;

    lock(fd);
    save(fd, &saved);
    revive(fd, &saved);
}

/* Does what revive does around a queue that is longer than the buffer. */
static void widen_and_narrow(int fd) {
    int size = receive_buffer(fd), locks = get_option(fd, SOL_SOCKET, SO_BUF_LOCK);

    set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, MUCH);
    set_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, size / 2);
    expect(get_option(fd, SOL_SOCKET, SO_BUF_LOCK) != locks, "SO_RCVBUFFORCE locks nothing");
    set_option(fd, SOL_SOCKET, SO_BUF_LOCK, locks);
    expect(receive_buffer(fd) == (size & ~1), "%d of %d", receive_buffer(fd), size);
}

static void body(int family) {
    struct connection connection;
    int as_new, revived, before, after;

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    stream(connection.a, connection.b, LITTLE);
    as_new = receive_buffer(connection.b);
    revive_in_place(connection.b);
    widen_and_narrow(connection.b);
    stream(connection.a, connection.b, MUCH);
    stream(connection.b, connection.a, MUCH);
    revived = receive_buffer(connection.b);
    expect(revived > as_new, "SO_RCVBUF stays at %d", as_new);
    before = get_option(connection.b, SOL_SOCKET, SO_SNDBUF);
    revive_in_place(connection.b);
    expect(receive_buffer(connection.b) == revived, "SO_RCVBUF: %d of %d left", receive_buffer(connection.b), revived);
    after = get_option(connection.b, SOL_SOCKET, SO_SNDBUF);
    expect(after >= before, "SO_SNDBUF: %d of %d left", after, before);
    expect(get_option(connection.b, SOL_SOCKET, SO_BUF_LOCK) == 0, "a size is locked");
    holds("SO_RCVBUF grew from %d to %d after a revival, and stayed so in the next", as_new, revived);
}

int main(void) { return check_families(body); }
