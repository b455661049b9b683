/*
 * Loading and running eBPF programs that are written down as instructions: no compiler, no libbpf.
 * The macros build one instruction each, named after the assembler of the kernel's documentation
 * (Documentation/bpf/standardization/instruction-set.rst).
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BPF_MOVE_REG(to, from) \
    ((struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = (to), .src_reg = (from)})
#define BPF_MOVE_IMM(to, value) \
    ((struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (to), .imm = (value)})
#define BPF_ADD_IMM(to, value) ((struct bpf_insn){.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = (to), .imm = (value)})
/* Two instructions: a 64 bit constant. */
#define BPF_MOVE_IMM64(to, value)                                                                     \
    ((struct bpf_insn){.code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = (to), .imm = (int32_t)(value)}), \
        ((struct bpf_insn){.imm = (int32_t)((uint64_t)(value) >> 32)})
/* Two instructions: a map, by its descriptor, for the helpers that take one. */
#define BPF_MOVE_MAP(to, map)                                                                             \
    ((struct bpf_insn){                                                                                   \
        .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = (to), .src_reg = BPF_PSEUDO_MAP_FD, .imm = (map)}), \
        ((struct bpf_insn){0})
/* Two instructions: the address of the one value of an array map, with `map` its descriptor. */
#define BPF_MOVE_MAP_VALUE(to, map)                                                                          \
    ((struct bpf_insn){                                                                                      \
        .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = (to), .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = (map)}), \
        ((struct bpf_insn){0})
#define BPF_LOAD32(to, base, offset) \
    ((struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = (to), .src_reg = (base), .off = (offset)})
#define BPF_LOAD16(to, base, offset) \
    ((struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_H, .dst_reg = (to), .src_reg = (base), .off = (offset)})
#define BPF_LOAD8(to, base, offset) \
    ((struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_B, .dst_reg = (to), .src_reg = (base), .off = (offset)})
#define BPF_AND_IMM(to, value) ((struct bpf_insn){.code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = (to), .imm = (value)})
#define BPF_SHIFT_LEFT_IMM(to, value) \
    ((struct bpf_insn){.code = BPF_ALU64 | BPF_LSH | BPF_K, .dst_reg = (to), .imm = (value)})
#define BPF_STORE32(base, offset, from) \
    ((struct bpf_insn){.code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = (base), .src_reg = (from), .off = (offset)})
#define BPF_STORE32_IMM(base, offset, value) \
    ((struct bpf_insn){.code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = (base), .off = (offset), .imm = (value)})
/* Jumps skip `count` instructions. */
#define BPF_JUMP_REG(condition, left, right, count) \
    ((struct bpf_insn){.code = BPF_JMP | (condition) | BPF_X, .dst_reg = (left), .src_reg = (right), .off = (count)})
#define BPF_JUMP_IMM(condition, left, value, count) \
    ((struct bpf_insn){.code = BPF_JMP | (condition) | BPF_K, .dst_reg = (left), .off = (count), .imm = (value)})
#define BPF_CALL_HELPER(id) ((struct bpf_insn){.code = BPF_JMP | BPF_CALL, .imm = (id)})
#define BPF_RETURN() ((struct bpf_insn){.code = BPF_JMP | BPF_EXIT})

/**
 * Loads a program. `attach` is where it will be attached; 0: nowhere, or the type says it. Returns a descriptor that
 * the caller closes, or -errno (EPERM without CAP_BPF or CAP_SYS_ADMIN).
 */
int bpf_program_load(enum bpf_prog_type type, enum bpf_attach_type attach, const char *name,
                     const struct bpf_insn *code, size_t count);

/** Attaches a program to a cgroup or a network namespace until the link is closed, by whomever or by
 * the end of this process. Returns the link's descriptor or -errno. */
int bpf_program_link(int program, int target, enum bpf_attach_type attach);

/**
 * Makes a map with one value of `size` bytes, zeros at first. Returns a descriptor that the caller closes, or -errno.
 */
int bpf_value_create(const char *name, uint32_t size);

/** Makes a map whose one value is a socket: bpf_value_set() takes the descriptor of one. */
int bpf_socket_create(const char *name);

/** Sets the value of such a map. 0 or -errno. */
int bpf_value_set(int map, const void *value);

/**
 * Runs a program once (BPF_PROG_TEST_RUN) over `packet` (at least 14 bytes), which the program may change in place, as
 * if it came over this interface (0: the loopback). 0 or -errno.
 */
int bpf_program_run(int program, void *packet, uint32_t length, unsigned interface);

/**
 * Notes keys with a program, in a map that lives as long, so that other processes find out what it is for. 0 or -errno.
 */
int bpf_program_note(int program, const uint64_t *keys, size_t count);

/** Whether any loaded program of the system that has this name has noted this key. */
bool bpf_program_noted(const char *name, uint64_t key);
