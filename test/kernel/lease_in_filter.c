/* An eBPF socket filter of eight instructions locks a socket until a deadline and accepts from then on.
 *
 * Source: bpf_ktime_get_ns is open to socket filters (bpf_base_func_proto() in kernel/bpf/helpers.c);
 * sk_attach_bpf() and sk_filter_trim_cap() in net/core/filter.c.
 * Relied on by: the lease of every lock. Whatever dies, no lock outlives its deadline. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

static void body(int family) {
    const uint64_t lease_ns = 700000000;
    struct connection connection;
    struct segment segment;
    uint64_t deadline;
    int tap;

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    tap = tap_open();
    deadline = now_ns() + lease_ns;
    lock_until(connection.b, deadline);
    send_pattern(connection.a, 0, 5000);
    expect(tap_next(tap, false, 1000, &segment), "the segment did not reach the locked socket's host");
    expect(!tap_next(tap, true, 100, &segment), "a segment was answered before the deadline");
    expect(unread(connection.b) == 0, "a segment was received before the deadline");
    expect(receive_pattern(connection.b, 0, 5000) == 5000, "the lock outlived its deadline");
    expect(now_ns() >= deadline, "the bytes came before the deadline");
    holds("locked up to the deadline; then all 5000 bytes came, with nobody's doing");
}

int main(void) { return check_families(body); }
