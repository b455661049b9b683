#include "bpf_program.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As libbpf's PROG_LOAD_ATTEMPTS. */
#define LOAD_ATTEMPTS 5

static int bpf(enum bpf_cmd command, union bpf_attr *attributes) {
    long result = syscall(SYS_bpf, command, attributes, sizeof *attributes);

    return result < 0 ? -errno : (int)result;
}

int bpf_program_load(enum bpf_prog_type type, const char *name, const struct bpf_insn *code, size_t count) {
    union bpf_attr attributes = {
        .prog_type = type,
        .insns = (uint64_t)(uintptr_t)code,
        .insn_cnt = (uint32_t)count,
        .license = (uint64_t)(uintptr_t)"Dual MIT/GPL",
    };

    strncpy(attributes.prog_name, name, sizeof attributes.prog_name - 1);
    int program;

    /* The verifier gives up with EAGAIN where a signal is pending (kernel/bpf/verifier.c, do_check): the SIGCHLD of a
     * child that just ended is enough. It is delivered before the next attempt. */
    for (int attempt = 0; attempt < LOAD_ATTEMPTS; attempt++) {
        program = bpf(BPF_PROG_LOAD, &attributes);
        if (program != -EAGAIN) break;
    }
    return program;
}

int bpf_program_run(int program, void *packet, uint32_t length, unsigned interface) {
    struct __sk_buff context = {.ifindex = interface};
    union bpf_attr attributes = {0};

    attributes.test.prog_fd = (uint32_t)program;
    attributes.test.data_in = attributes.test.data_out = (uint64_t)(uintptr_t)packet;
    attributes.test.data_size_in = attributes.test.data_size_out = length;
    if (interface) {
        attributes.test.ctx_in = (uint64_t)(uintptr_t)&context;
        attributes.test.ctx_size_in = sizeof context;
    }
    return bpf(BPF_PROG_TEST_RUN, &attributes);
}

static int has_name(uint32_t id, const char *name) {
    union bpf_attr by_id = {.prog_id = id}, query = {0};
    struct bpf_prog_info info = {0};
    int fd = bpf(BPF_PROG_GET_FD_BY_ID, &by_id), result;

    if (fd < 0) return 0;
    query.info.bpf_fd = (uint32_t)fd;
    query.info.info_len = sizeof info;
    query.info.info = (uint64_t)(uintptr_t)&info;
    result = bpf(BPF_OBJ_GET_INFO_BY_FD, &query);
    close(fd);
    return result == 0 && strncmp(info.name, name, sizeof info.name) == 0;
}

int bpf_program_exists(const char *name) {
    union bpf_attr position = {0};

    while (bpf(BPF_PROG_GET_NEXT_ID, &position) == 0) {
        if (has_name(position.next_id, name)) return 1;
        position.start_id = position.next_id;
    }
    return 0;
}
