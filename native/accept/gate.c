#include "accept/gate.h"

#include "kernel/bpf.h"
#include "socket/headers.h"

#include <errno.h>
#include <fcntl.h>
#include <net/ethernet.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define ETHERTYPE_IP_BIG_ENDIAN __builtin_bswap16(ETHERTYPE_IP)

struct ports {
    uint32_t local, remote_big_endian;
};

enum { DROP = 0, LET_PASS = 1 }; /* verdicts of a cgroup_skb program */

static const struct bpf_insn mute[] = {
    BPF_MOVE_IMM(BPF_REG_0, DROP),
    BPF_RETURN(),
};

static const struct bpf_insn pass[] = {
    BPF_LOAD32(BPF_REG_1, BPF_REG_1, offsetof(struct __sk_buff, priority)),
    BPF_MOVE_IMM(BPF_REG_0, LET_PASS),
    BPF_JUMP_IMM(BPF_JEQ, BPF_REG_1, GATE_PASS, 1),
    BPF_MOVE_IMM(BPF_REG_0, DROP),
    BPF_RETURN(),
};

static const struct bpf_insn hush[] = {
    BPF_LOAD32(BPF_REG_1, BPF_REG_1, offsetof(struct __sk_buff, priority)),
    BPF_MOVE_IMM(BPF_REG_0, DROP),
    BPF_JUMP_IMM(BPF_JEQ, BPF_REG_1, GATE_HUSH, 1),
    BPF_MOVE_IMM(BPF_REG_0, LET_PASS),
    BPF_RETURN(),
};

#define ON_STACK (-8)

/* Reads the byte of the packet at `offset`, from the IP header on, into r0; where there is none the packet passes. */
#define READ_BYTE(skip)                                                                                        \
    BPF_MOVE_REG(BPF_REG_1, BPF_REG_6), BPF_MOVE_REG(BPF_REG_3, BPF_REG_10), BPF_ADD_IMM(BPF_REG_3, ON_STACK), \
        BPF_MOVE_IMM(BPF_REG_4, 1), BPF_CALL_HELPER(BPF_FUNC_skb_load_bytes),                                  \
        BPF_JUMP_IMM(BPF_JSLT, BPF_REG_0, 0, skip), BPF_LOAD8(BPF_REG_0, BPF_REG_10, ON_STACK)

/* r6: context, r7: the length of the IP header, r8: where the protocol's number is */
static const struct bpf_insn no_resets[] = {
    BPF_MOVE_REG(BPF_REG_6, BPF_REG_1),
    BPF_LOAD32(BPF_REG_2, BPF_REG_6, offsetof(struct __sk_buff, protocol)),
    BPF_MOVE_IMM(BPF_REG_7, sizeof(struct ip6_hdr)),
    BPF_MOVE_IMM(BPF_REG_8, offsetof(struct ip6_hdr, ip6_nxt)),
    BPF_JUMP_IMM(BPF_JNE, BPF_REG_2, ETHERTYPE_IP_BIG_ENDIAN, 12), /* to the protocol */
    BPF_MOVE_IMM(BPF_REG_2, 0),
    READ_BYTE(25), /* to the end */
    BPF_MOVE_REG(BPF_REG_7, BPF_REG_0),
    BPF_AND_IMM(BPF_REG_7, 0x0f),
    BPF_SHIFT_LEFT_IMM(BPF_REG_7, 2),
    BPF_MOVE_IMM(BPF_REG_8, offsetof(struct iphdr, protocol)),
    BPF_MOVE_REG(BPF_REG_2, BPF_REG_8), /* the protocol */
    READ_BYTE(13),                      /* to the end */
    BPF_JUMP_IMM(BPF_JNE, BPF_REG_0, IPPROTO_TCP, 11),
    BPF_MOVE_REG(BPF_REG_2, BPF_REG_7),
    BPF_ADD_IMM(BPF_REG_2, TCP_FLAGS),
    READ_BYTE(3), /* to the end */
    BPF_AND_IMM(BPF_REG_0, TH_RST),
    BPF_JUMP_IMM(BPF_JNE, BPF_REG_0, 0, 2), /* to the drop */
    BPF_MOVE_IMM(BPF_REG_0, LET_PASS),      /* the end */
    BPF_RETURN(),
    BPF_MOVE_IMM(BPF_REG_0, DROP), /* the drop */
    BPF_RETURN(),
};

#define COUNT(code) (sizeof(code) / sizeof *(code))

/* Loads the program and attaches it. Returns the link or -errno. */
static int attach(enum bpf_prog_type type, enum bpf_attach_type where, const char *name, const struct bpf_insn *code,
                  size_t count, int cgroup) {
    int link, program = bpf_program_load(type, where, name, code, count);

    if (program < 0) return program;
    link = bpf_program_link(program, cgroup, where);
    close(program);
    return link;
}

/* tcp_openreq_init_rwin() in net/ipv4/tcp_minisocks.c asks for the first window of each connection, in segments. */
static int attach_window(int cgroup, int window) {
    const struct bpf_insn code[] = {
        BPF_LOAD32(BPF_REG_2, BPF_REG_1, offsetof(struct bpf_sock_ops, op)),
        BPF_JUMP_IMM(BPF_JNE, BPF_REG_2, BPF_SOCK_OPS_RWND_INIT, 4),
        BPF_MOVE_MAP_VALUE(BPF_REG_3, window),
        BPF_LOAD32(BPF_REG_3, BPF_REG_3, 0),
        BPF_STORE32(BPF_REG_1, offsetof(struct bpf_sock_ops, reply), BPF_REG_3),
        BPF_MOVE_IMM(BPF_REG_0, 1),
        BPF_RETURN(),
    };

    return attach(BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, "migrun_window", code, COUNT(code), cgroup);
}

static int attach_filter(enum bpf_attach_type where, const char *name, const struct bpf_insn *code, size_t count,
                         int cgroup) {
    return attach(BPF_PROG_TYPE_CGROUP_SKB, where, name, code, count, cgroup);
}

static int open_cgroup(const char *path) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int shut(struct gate *gate, int pod, int own) {
    int *link = gate->links, result;

    if ((result = gate->window = bpf_value_create("migrun_window", sizeof(uint32_t))) < 0) return result;
    if ((result = *link++ = attach_window(pod, gate->window)) < 0) return result;
    if ((result = *link++ = attach_filter(BPF_CGROUP_INET_EGRESS, "migrun_hush", hush, COUNT(hush), own)) < 0)
        return result;
    if ((result = *link++ = attach_filter(BPF_CGROUP_INET_EGRESS, "migrun_mute", mute, COUNT(mute), pod)) < 0)
        return result;
    result = *link++ = attach_filter(BPF_CGROUP_INET_INGRESS, "migrun_pass", pass, COUNT(pass), pod);
    return result < 0 ? result : 0;
}

int gate_shut(struct gate *gate, const char *pod, const char *own) {
    int pod_fd = open_cgroup(pod), own_fd = open_cgroup(own), result;

    *gate = (struct gate){.links = {-1, -1, -1, -1, -1}, .window = -1, .listener = -1, .ports = -1};
    result = pod_fd < 0 ? pod_fd : own_fd < 0 ? own_fd : shut(gate, pod_fd, own_fd);
    if (pod_fd >= 0) close(pod_fd);
    if (own_fd >= 0) close(own_fd);
    if (result < 0) gate_open(gate);
    return result;
}

int gate_drop_resets(const char *pod) {
    int fd = open_cgroup(pod), link;

    if (fd < 0) return fd;
    link = attach_filter(BPF_CGROUP_INET_INGRESS, "migrun_resets", no_resets, COUNT(no_resets), fd);
    close(fd);
    return link;
}

/* r6: context, r7: socket */
static int attach_steering(const struct gate *gate, int network) {
    const struct bpf_insn code[] = {
        BPF_MOVE_REG(BPF_REG_6, BPF_REG_1),
        BPF_MOVE_MAP_VALUE(BPF_REG_2, gate->ports),
        BPF_LOAD32(BPF_REG_3, BPF_REG_2, offsetof(struct ports, local)),
        BPF_LOAD32(BPF_REG_4, BPF_REG_6, offsetof(struct bpf_sk_lookup, local_port)),
        BPF_JUMP_REG(BPF_JNE, BPF_REG_3, BPF_REG_4, 17), /* to the end */
        BPF_LOAD32(BPF_REG_3, BPF_REG_2, offsetof(struct ports, remote_big_endian)),
        BPF_LOAD16(BPF_REG_4, BPF_REG_6, offsetof(struct bpf_sk_lookup, remote_port)),
        BPF_JUMP_REG(BPF_JNE, BPF_REG_3, BPF_REG_4, 14), /* to the end */
        BPF_STORE32_IMM(BPF_REG_10, ON_STACK, 0),
        BPF_MOVE_MAP(BPF_REG_1, gate->listener),
        BPF_MOVE_REG(BPF_REG_2, BPF_REG_10),
        BPF_ADD_IMM(BPF_REG_2, ON_STACK),
        BPF_CALL_HELPER(BPF_FUNC_map_lookup_elem),
        BPF_JUMP_IMM(BPF_JEQ, BPF_REG_0, 0, 7), /* to the end */
        BPF_MOVE_REG(BPF_REG_7, BPF_REG_0),
        BPF_MOVE_REG(BPF_REG_1, BPF_REG_6),
        BPF_MOVE_REG(BPF_REG_2, BPF_REG_7),
        BPF_MOVE_IMM(BPF_REG_3, BPF_SK_LOOKUP_F_NO_REUSEPORT),
        BPF_CALL_HELPER(BPF_FUNC_sk_assign),
        BPF_MOVE_REG(BPF_REG_1, BPF_REG_7),
        BPF_CALL_HELPER(BPF_FUNC_sk_release),
        BPF_MOVE_IMM(BPF_REG_0, SK_PASS), /* the end */
        BPF_RETURN(),
    };

    return attach(BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP, "migrun_steer", code, COUNT(code), network);
}

static int begin_steering(struct gate *gate) {
    int *link = &gate->links[GATE_LINKS - 1], network, result;

    if ((result = gate->ports = bpf_value_create("migrun_ports", sizeof(struct ports))) < 0) return result;
    if ((result = gate->listener = bpf_socket_create("migrun_listener")) < 0) return result;
    network = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (network < 0) return -errno;
    result = *link = attach_steering(gate, network);
    close(network);
    return result < 0 ? result : 0;
}

int gate_steer(struct gate *gate, int listener, uint16_t local_port, uint16_t remote_port) {
    const struct ports ports = {.local = local_port, .remote_big_endian = __builtin_bswap16(remote_port)};
    uint32_t socket = (uint32_t)listener;
    int result = gate->links[GATE_LINKS - 1] < 0 ? begin_steering(gate) : 0;

    if (result == 0) result = bpf_value_set(gate->listener, &socket);
    return result < 0 ? result : bpf_value_set(gate->ports, &ports);
}

int gate_offer(const struct gate *gate, uint32_t segments) { return bpf_value_set(gate->window, &segments); }

static void let_go(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

void gate_open(struct gate *gate) {
    for (size_t i = 0; i < GATE_LINKS; i++) let_go(&gate->links[i]);
    let_go(&gate->window);
    let_go(&gate->listener);
    let_go(&gate->ports);
}
