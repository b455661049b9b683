/* Programs of the cgroup that a listener was made in see its SYN-ACKs, and connections that it has not accepted.
 *
 * Source: cgroup_sk_clone() in kernel/cgroup/cgroup.c; BPF_CGROUP_RUN_PROG_INET_EGRESS in include/linux/bpf-cgroup.h takes the
 * listener for a request (sk_to_full_sk()) and runs in ip_finish_output() and ip6_finish_output(), the ingress one in
 * sk_filter_trim_cap(), net/core/filter.c. The priority of a sending socket's packets crosses the loopback device.
 * Relied on by: the gate, behind which an accept queue is filled: nothing of the handshakes is heard outside, and nothing
 * from outside gets between them. */
#include "harness/bpf.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/task.h"
#include "harness/tcp.h"

#include <stddef.h>
#include <unistd.h>

enum { DROP = 0, PASS = 1 };

static int attach_egress(void) {
    const struct bpf_insn drop_all[] = {SET(R0, DROP), EXIT};

    return bpf_attach(bpf_load(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, drop_all, 2), "pod",
                      BPF_CGROUP_INET_EGRESS);
}

static int attach_ingress(void) {
    const struct bpf_insn only_ours[] = {
        LOAD(R1, R1, offsetof(struct __sk_buff, priority)),
        SET(R0, PASS),
        IF_EQUAL(R1, INJECTED, 1),
        SET(R0, DROP),
        EXIT,
    };

    return bpf_attach(bpf_load(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS, only_ours, 5), "pod",
                      BPF_CGROUP_INET_INGRESS);
}

static int make_listener(int family, union address *address) {
    int listener;

    cgroup_make("pod");
    cgroup_enter("pod", getpid());
    listener = listen_on_b(family);
    cgroup_enter(NULL, getpid());
    *address = local_of(listener);
    return listener;
}

static void body(int family) {
    union address near, far;
    struct segment segment, syn = {.seq = 1000, .flags = SYN}, old = {.seq = 1, .flags = ACK, .body = 1};
    int listener, client, link, tap;

    hosts_up();
    listener = make_listener(family, &near);
    client = need(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    need(connect(client, &near.any, address_size(&near)));
    far = address_of(family, 1, 4000);
    enter(B);
    tap = tap_open();

    link = attach_egress();
    inject(&far, &near, &syn, NULL, 0);
    send_pattern(client, 0, 100);
    expect(tap_count(tap, true) == 0, "a SYN-ACK or an ACK went out");
    close(link);
    expect(tap_next(tap, true, 3000, &segment), "nothing goes out when the program is gone");
    wait_acknowledged(client);

    link = attach_ingress();
    tap_count(tap, true);
    send_pattern(client, 100, 100);
    expect(tap_count(tap, true) == 0, "what came from outside was answered");
    far = local_of(client);
    old.seq = tcp_info_of(client).tcpi_bytes_acked; /* anything old */
    inject(&far, &near, &old, NULL, 0);
    expect(tap_next(tap, true, 1000, &segment) && segment.flags == ACK, "what has the priority did not pass");
    close(link);
    wait_acknowledged(client);
    expect(readable(listener, 0), "the connection is not waiting any more");
    holds("no SYN-ACK and no ACK passes the egress program; of what comes, only what has the priority");
}

int main(void) { return check_families(body); }
