/* bpf_sk_lookup_tcp in a test run of a sched_cls program reads snd_nxt and rcv_nxt of a live connection, and leaves it alone.
 *
 * Source: bpf_prog_test_run_skb() in net/bpf/test_run.c runs in the caller's network namespace; bpf_sk_lookup_tcp() and
 * bpf_tcp_sock() in net/core/filter.c take the socket by its addresses, with no repair mode and no lock.
 * Relied on by: the in-band endpoint, which needs a connection's sequence numbers without its process or its fd. */
#include "harness/bpf.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/tcp.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

struct sequences {
    uint32_t found, snd_nxt, rcv_nxt, snd_una;
};

enum { RESULT = -16, TUPLE = -56 }; /* on the program's stack */

#define COPY(field, member) \
    LOAD(R1, R0, offsetof(struct bpf_tcp_sock, field)), STORE(RESULT + (int)offsetof(struct sequences, member), R1)

/* Writes its result over the packet that the test run gives it. */
static int load(const struct bpf_sock_tuple *tuple, size_t size) {
    const struct bpf_insn lookup[] = {
        MOVE(R6, R1),
        STORE_VALUE(RESULT, 0),
        STORE_VALUE(RESULT + 4, 0),
        STORE_VALUE(RESULT + 8, 0),
        STORE_VALUE(RESULT + 12, 0),
        MOVE(R2, R10),
        ADD(R2, TUPLE),
        SET(R3, (int)size),
        SET(R4, -1),
        SET(R5, 0),
        CALL(BPF_FUNC_sk_lookup_tcp),
        IF_ZERO(R0, 13),
        MOVE(R7, R0),
        MOVE(R1, R0),
        CALL(BPF_FUNC_tcp_sock),
        IF_ZERO(R0, 7),
        COPY(snd_nxt, snd_nxt),
        COPY(rcv_nxt, rcv_nxt),
        COPY(snd_una, snd_una),
        STORE_VALUE(RESULT, 1),
        MOVE(R1, R7),
        CALL(BPF_FUNC_sk_release),
        MOVE(R1, R6),
        SET(R2, 0),
        MOVE(R3, R10),
        ADD(R3, RESULT),
        SET(R4, sizeof(struct sequences)),
        SET(R5, 0),
        CALL(BPF_FUNC_skb_store_bytes),
        SET(R0, 0),
        EXIT,
    };
    struct bpf_insn program[sizeof(lookup) / sizeof(*lookup) + sizeof(tuple->ipv6) / 4];
    const int words = size / 4;

    for (int i = 0; i < words; i++) {
        int32_t value;

        memcpy(&value, (const char *)tuple + i * 4, 4);
        program[i] = (struct bpf_insn)STORE_VALUE(TUPLE + i * 4, value);
    }
    memcpy(program + words, lookup, sizeof(lookup));
    return bpf_load(BPF_PROG_TYPE_SCHED_CLS, 0, program, sizeof(lookup) / sizeof(*lookup) + words);
}

/* Looks the socket up as a segment that arrives for it would be: from its remote address to its local one. */
static struct sequences look_up(int fd) {
    union address local = local_of(fd), remote = remote_of(fd);
    struct bpf_sock_tuple tuple = {0};
    bool v4 = local.any.sa_family == AF_INET;
    uint8_t packet[64] = {0}, out[64] = {0};
    struct sequences sequences;
    union bpf_attr attributes = {.test = {
                                     .data_in = (uintptr_t)packet,
                                     .data_size_in = sizeof(packet),
                                     .data_out = (uintptr_t)out,
                                     .data_size_out = sizeof(out),
                                 }};

    if (v4) {
        tuple.ipv4.saddr = remote.v4.sin_addr.s_addr;
        tuple.ipv4.daddr = local.v4.sin_addr.s_addr;
        tuple.ipv4.sport = remote.v4.sin_port;
        tuple.ipv4.dport = local.v4.sin_port;
    } else {
        memcpy(tuple.ipv6.saddr, &remote.v6.sin6_addr, 16);
        memcpy(tuple.ipv6.daddr, &local.v6.sin6_addr, 16);
        tuple.ipv6.sport = remote.v6.sin6_port;
        tuple.ipv6.dport = local.v6.sin6_port;
    }
    attributes.test.prog_fd = load(&tuple, v4 ? sizeof(tuple.ipv4) : sizeof(tuple.ipv6));
    need(syscall(SYS_bpf, BPF_PROG_TEST_RUN, &attributes, sizeof(attributes)));
    close(attributes.test.prog_fd);
    memcpy(&sequences, out, sizeof(sequences));
    return sequences;
}

static void body(int family) {
    struct connection connection;
    struct tcp_info before, after;
    struct sequences near, far;
    uint32_t snd_nxt, rcv_nxt;
    int tap;

    hosts_up();
    connection = connect_hosts(family);
    send_pattern(connection.a, 0, 3000);
    send_pattern(connection.b, 0, 700);
    wait_acknowledged(connection.a);
    wait_acknowledged(connection.b);
    tap = tap_open();
    before = tcp_info_of(connection.a);
    near = look_up(connection.a);
    after = tcp_info_of(connection.a);
    enter(B);
    far = look_up(connection.b);
    expect(near.found && far.found, "a live connection was not found");
    expect(tap_count(tap, true) == 0 && before.tcpi_segs_out == after.tcpi_segs_out &&
               before.tcpi_segs_in == after.tcpi_segs_in && before.tcpi_state == after.tcpi_state,
           "the look-up touched the connection");

    repair(connection.a, TCP_REPAIR_ON);
    snd_nxt = queue_seq(connection.a, TCP_SEND_QUEUE);
    rcv_nxt = queue_seq(connection.a, TCP_RECV_QUEUE);
    repair(connection.a, TCP_REPAIR_OFF_NO_WP);
    expect(near.snd_nxt == snd_nxt && near.rcv_nxt == rcv_nxt && near.snd_una == snd_nxt,
           "not the socket's own sequence numbers");
    expect(far.rcv_nxt == near.snd_nxt && far.snd_nxt == near.rcv_nxt, "the two ends do not agree");
    enter(A);
    far = look_up(connection.b);
    expect(!far.found, "a socket of another network namespace was found");
    holds("both ends read as repair mode reads them; nothing sent, and only the caller's namespace seen");
}

int main(void) { return check_families(body); }
