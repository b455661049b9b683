/* A program of the network namespace leads a SYN to one listening socket of an SO_REUSEPORT group, whatever its hash says.
 *
 * Source: inet_lookup_run_sk_lookup() in net/ipv4/inet_hashtables.c, bpf_sk_lookup_assign() in net/core/filter.c with
 * BPF_SK_LOOKUP_F_NO_REUSEPORT; a listening socket can be in a BPF_MAP_TYPE_SOCKMAP (sock_map_sk_state_allowed()).
 * Relied on by: filling the accept queues of a group: a connection goes to the process that it waited for. */
#include "harness/bpf.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MEMBERS = 4, CONNECTIONS = 16 };

static int map_of(int listener) {
    const uint32_t first = 0, socket = listener;
    union bpf_attr make = {.map_type = BPF_MAP_TYPE_SOCKMAP, .key_size = 4, .value_size = 4, .max_entries = 1};
    union bpf_attr update = {.key = (uintptr_t)&first, .value = (uintptr_t)&socket};

    update.map_fd = need(syscall(SYS_bpf, BPF_MAP_CREATE, &make, sizeof(make)));
    need(syscall(SYS_bpf, BPF_MAP_UPDATE_ELEM, &update, sizeof(update)));
    return update.map_fd;
}

/* Returns the link. */
static int lead_to(int listener) {
    const struct bpf_insn choose[] = {
        MOVE(R6, R1),
        STORE_VALUE(-8, 0),
        {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = R1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map_of(listener)},
        {0},
        MOVE(R2, R10),
        ADD(R2, -8),
        CALL(BPF_FUNC_map_lookup_elem),
        IF_ZERO(R0, 7),
        MOVE(R7, R0),
        MOVE(R1, R6),
        MOVE(R2, R7),
        SET(R3, BPF_SK_LOOKUP_F_NO_REUSEPORT),
        CALL(BPF_FUNC_sk_assign),
        MOVE(R1, R7),
        CALL(BPF_FUNC_sk_release),
        SET(R0, SK_PASS),
        EXIT,
    };
    union bpf_attr attributes = {0};

    attributes.link_create.prog_fd =
        bpf_load(BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, choose, sizeof(choose) / sizeof(*choose));
    attributes.link_create.target_fd = need(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    attributes.link_create.attach_type = BPF_SK_LOOKUP;
    return need(syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes)));
}

static void body(int family) {
    union address address = address_of(family, 2, 0);
    int group[MEMBERS];

    hosts_up();
    enter(B);
    for (int i = 0; i < MEMBERS; i++) {
        group[i] = need(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
        set_option(group[i], SOL_SOCKET, SO_REUSEPORT, 1);
        need(bind(group[i], &address.any, address_size(&address)));
        address = local_of(group[0]);
        need(listen(group[i], CONNECTIONS));
    }
    for (int i = 0; i < MEMBERS; i++) {
        int link;

        enter(B);
        link = lead_to(group[i]);
        enter(A);
        for (int k = 0; k < CONNECTIONS; k++)
            need(connect(need(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)), &address.any, address_size(&address)));
        expect(tcp_info_of(group[i]).tcpi_unacked == CONNECTIONS, "member %d got %u of %d", i,
               tcp_info_of(group[i]).tcpi_unacked, CONNECTIONS);
        close(link);
    }
    holds("each of %d members got all of %d, in turn", MEMBERS, CONNECTIONS);
}

int main(void) { return check_families(body); }
