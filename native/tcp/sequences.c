#include "tcp/sequences.h"

#include "kernel/bpf.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <string.h>

/* The packet: an empty Ethernet header, then the question, into which the program writes the answer. */
struct question {
    uint8_t ethernet[16]; /* 14, and 2 to align */
    struct bpf_sock_tuple tuple;
    uint32_t is_v6;
    uint32_t found;
    struct tcp_sequences sequences;
};

#define AT(member) ((int16_t)offsetof(struct question, member))

/* r6: context, r7: packet, r8: socket */
static const struct bpf_insn lookup[] = {
    BPF_MOVE_REG(BPF_REG_6, BPF_REG_1),
    BPF_LOAD32(BPF_REG_7, BPF_REG_6, offsetof(struct __sk_buff, data)),
    BPF_LOAD32(BPF_REG_2, BPF_REG_6, offsetof(struct __sk_buff, data_end)),
    BPF_MOVE_REG(BPF_REG_1, BPF_REG_7),
    BPF_ADD_IMM(BPF_REG_1, sizeof(struct question)),
    BPF_JUMP_REG(BPF_JGT, BPF_REG_1, BPF_REG_2, 30), /* to the end */
    BPF_LOAD32(BPF_REG_0, BPF_REG_7, AT(is_v6)),
    BPF_MOVE_REG(BPF_REG_1, BPF_REG_6),
    BPF_MOVE_REG(BPF_REG_2, BPF_REG_7),
    BPF_ADD_IMM(BPF_REG_2, AT(tuple)),
    BPF_MOVE_IMM(BPF_REG_4, BPF_F_CURRENT_NETNS),
    BPF_MOVE_IMM(BPF_REG_5, 0),
    /* The size of the tuple tells the family and has to be a constant. */
    BPF_JUMP_IMM(BPF_JNE, BPF_REG_0, 0, 3),
    BPF_MOVE_IMM(BPF_REG_3, sizeof(((struct bpf_sock_tuple *)0)->ipv4)),
    BPF_CALL_HELPER(BPF_FUNC_sk_lookup_tcp),
    BPF_JUMP_IMM(BPF_JA, 0, 0, 2),
    BPF_MOVE_IMM(BPF_REG_3, sizeof(((struct bpf_sock_tuple *)0)->ipv6)),
    BPF_CALL_HELPER(BPF_FUNC_sk_lookup_tcp),
    BPF_JUMP_IMM(BPF_JEQ, BPF_REG_0, 0, 17), /* to the end */
    BPF_MOVE_REG(BPF_REG_8, BPF_REG_0),
    /* Without a connection the look-up finds a listening socket. */
    BPF_LOAD32(BPF_REG_1, BPF_REG_8, offsetof(struct bpf_sock, state)),
    BPF_JUMP_IMM(BPF_JEQ, BPF_REG_1, TCP_LISTEN, 12), /* to the release */
    BPF_STORE32(BPF_REG_7, AT(sequences.state), BPF_REG_1),
    BPF_MOVE_REG(BPF_REG_1, BPF_REG_8),
    BPF_CALL_HELPER(BPF_FUNC_tcp_sock),
    BPF_JUMP_IMM(BPF_JEQ, BPF_REG_0, 0, 8), /* to the release */
    BPF_LOAD32(BPF_REG_1, BPF_REG_0, offsetof(struct bpf_tcp_sock, snd_nxt)),
    BPF_STORE32(BPF_REG_7, AT(sequences.snd_nxt), BPF_REG_1),
    BPF_LOAD32(BPF_REG_1, BPF_REG_0, offsetof(struct bpf_tcp_sock, snd_una)),
    BPF_STORE32(BPF_REG_7, AT(sequences.snd_una), BPF_REG_1),
    BPF_LOAD32(BPF_REG_1, BPF_REG_0, offsetof(struct bpf_tcp_sock, rcv_nxt)),
    BPF_STORE32(BPF_REG_7, AT(sequences.rcv_nxt), BPF_REG_1),
    BPF_MOVE_IMM(BPF_REG_1, 1),
    BPF_STORE32(BPF_REG_7, AT(found), BPF_REG_1),
    BPF_MOVE_REG(BPF_REG_1, BPF_REG_8), /* the release */
    BPF_CALL_HELPER(BPF_FUNC_sk_release),
    BPF_MOVE_IMM(BPF_REG_0, 0), /* the end */
    BPF_RETURN(),
};

static int program = -1; /* loaded once, for the life of the process */

/* Fills the question in with the addresses of a packet that arrives at the connection: from remote to local. */
static void ask(struct question *question, const union socket_address *local, const union socket_address *remote) {
    union socket_address source = socket_address_plain(remote), destination = socket_address_plain(local);
    struct bpf_sock_tuple *tuple = &question->tuple;

    memset(question, 0, sizeof *question);
    question->is_v6 = destination.any.sa_family == AF_INET6;
    if (question->is_v6) {
        memcpy(tuple->ipv6.saddr, &source.v6.sin6_addr, sizeof tuple->ipv6.saddr);
        memcpy(tuple->ipv6.daddr, &destination.v6.sin6_addr, sizeof tuple->ipv6.daddr);
        tuple->ipv6.sport = source.v6.sin6_port;
        tuple->ipv6.dport = destination.v6.sin6_port;
    } else {
        tuple->ipv4.saddr = source.v4.sin_addr.s_addr;
        tuple->ipv4.daddr = destination.v4.sin_addr.s_addr;
        tuple->ipv4.sport = source.v4.sin_port;
        tuple->ipv4.dport = destination.v4.sin_port;
    }
}

static int look_up(const union socket_address *local, const union socket_address *remote, unsigned interface,
                   struct tcp_sequences *sequences) {
    struct question question;
    int result;

    ask(&question, local, remote);
    result = bpf_program_run(program, &question, sizeof question, interface);
    if (result < 0) return result;
    if (!question.found) return -ENOENT;
    *sequences = question.sequences;
    return 0;
}

/* A socket that is bound to a device is found only by a packet that comes over that. */
static int look_up_everywhere(const union socket_address *local, const union socket_address *remote,
                              struct tcp_sequences *sequences) {
    struct if_nameindex *interfaces = if_nameindex();
    int result = interfaces ? -ENOENT : -errno;

    for (const struct if_nameindex *one = interfaces; one && one->if_index && result == -ENOENT; one++)
        result = look_up(local, remote, one->if_index, sequences);
    if (interfaces) if_freenameindex(interfaces);
    return result;
}

int tcp_sequences(const union socket_address *local, const union socket_address *remote,
                  struct tcp_sequences *sequences) {
    int result;

    if (program < 0) {
        result =
            bpf_program_load(BPF_PROG_TYPE_SCHED_CLS, 0, "migrun_sequence", lookup, sizeof lookup / sizeof *lookup);
        if (result < 0) return result;
        program = result;
    }
    result = look_up(local, remote, 0, sequences);
    return result == -ENOENT ? look_up_everywhere(local, remote, sequences) : result;
}
