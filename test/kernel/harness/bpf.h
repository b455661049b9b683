/* eBPF programs written down as instructions, and attaching them to a cgroup. */
#ifndef MIGRUN_TEST_KERNEL_BPF_H
#define MIGRUN_TEST_KERNEL_BPF_H

#include <linux/bpf.h>
#include <stddef.h>

enum { R0, R1, R2, R3, R4, R5, R6, R7, R10 = 10 };

#define MOVE(to, from) \
    { .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to, .src_reg = from }
#define SET(to, value) \
    { .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = to, .imm = value }
#define ADD(to, value) \
    { .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = to, .imm = value }
#define CALL(function) \
    { .code = BPF_JMP | BPF_CALL, .imm = function }
#define IF_EQUAL(reg, value, skip) \
    { .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = reg, .off = skip, .imm = value }
#define IF_ZERO(reg, skip) IF_EQUAL(reg, 0, skip)
#define LOAD(to, from, offset) \
    { .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = to, .src_reg = from, .off = offset }
#define STORE_TO(to, offset, from) \
    { .code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = to, .src_reg = from, .off = offset }
#define STORE(offset, from) STORE_TO(R10, offset, from)
#define STORE_VALUE(offset, value) \
    { .code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = R10, .off = offset, .imm = value }
#define EXIT \
    { .code = BPF_JMP | BPF_EXIT }

/* Loads a program; ends the body with MISSING where that is not permitted, with DIFFERS where the kernel refuses it. */
int bpf_load(enum bpf_prog_type type, enum bpf_attach_type attach, const struct bpf_insn *code, size_t count);

/* Attaches it to the cgroup `name` (task.h). Returns the link, whose close is its end. */
int bpf_attach(int program, const char *name, enum bpf_attach_type attach);

#endif
