#include "result.h"
#include "tcp.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

uint64_t now_ns(void) {
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ull + now.tv_nsec;
}

void lock_until(int fd, uint64_t deadline_ns) {
    struct bpf_insn lease[] = {
        {.code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_ktime_get_ns},
        {.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = BPF_REG_1, .imm = (int32_t)deadline_ns},
        {.imm = (int32_t)(deadline_ns >> 32)}, /* second half of the same 64-bit load */
        {.code = BPF_JMP | BPF_JGE | BPF_X, .dst_reg = BPF_REG_0, .src_reg = BPF_REG_1, .off = 2},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
        {.code = BPF_JMP | BPF_EXIT},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr attributes = {
        .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
        .insns = (uintptr_t)lease,
        .insn_cnt = sizeof(lease) / sizeof(*lease),
        .license = (uintptr_t) "GPL",
    };
    int program = syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes));

    if (program < 0 && (errno == ENOSYS || errno == EPERM)) missing("bpf(): %s", strerror(errno));
    set_option(fd, SOL_SOCKET, SO_ATTACH_BPF, need(program));
    close(program); /* the socket holds it */
}
