#include "kernel/bpf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* libbpf's own number (PROG_LOAD_ATTEMPTS). */
#define LOAD_ATTEMPTS 5

static int bpf(enum bpf_cmd command, union bpf_attr *attributes) {
    long result = syscall(SYS_bpf, command, attributes, sizeof *attributes);

    return result < 0 ? -errno : (int)result;
}

int bpf_program_load(enum bpf_prog_type type, enum bpf_attach_type attach, const char *name,
                     const struct bpf_insn *code, size_t count) {
    union bpf_attr attributes = {
        .prog_type = type,
        .expected_attach_type = attach,
        .insns = (uint64_t)(uintptr_t)code,
        .insn_cnt = (uint32_t)count,
        .license = (uint64_t)(uintptr_t) "Dual MIT/GPL",
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

int bpf_program_link(int program, int target, enum bpf_attach_type attach) {
    union bpf_attr attributes = {0};

    attributes.link_create.prog_fd = (uint32_t)program;
    attributes.link_create.target_fd = (uint32_t)target;
    attributes.link_create.attach_type = attach;
    return bpf(BPF_LINK_CREATE, &attributes);
}

static int make_single(enum bpf_map_type type, const char *name, uint32_t size) {
    union bpf_attr attributes = {.map_type = type, .key_size = sizeof(uint32_t), .value_size = size, .max_entries = 1};

    strncpy(attributes.map_name, name, sizeof attributes.map_name - 1);
    return bpf(BPF_MAP_CREATE, &attributes);
}

int bpf_value_create(const char *name, uint32_t size) { return make_single(BPF_MAP_TYPE_ARRAY, name, size); }

int bpf_socket_create(const char *name) { return make_single(BPF_MAP_TYPE_SOCKMAP, name, sizeof(uint32_t)); }

int bpf_value_set(int map, const void *value) {
    const uint32_t first = 0;
    union bpf_attr attributes = {
        .map_fd = (uint32_t)map, .key = (uint64_t)(uintptr_t)&first, .value = (uint64_t)(uintptr_t)value};

    return bpf(BPF_MAP_UPDATE_ELEM, &attributes);
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

/* Makes a map with these keys; its values say nothing. Returns a descriptor or -errno. */
static int make_set(const uint64_t *keys, size_t count) {
    union bpf_attr map = {
        .map_type = BPF_MAP_TYPE_HASH, .key_size = sizeof *keys, .value_size = 1, .max_entries = (uint32_t)count};
    union bpf_attr update = {0};
    uint8_t *values = calloc(count, 1);
    int fd = values ? bpf(BPF_MAP_CREATE, &map) : -ENOMEM, result;

    if (fd < 0) goto out;
    update.batch.map_fd = (uint32_t)fd;
    update.batch.keys = (uint64_t)(uintptr_t)keys;
    update.batch.values = (uint64_t)(uintptr_t)values;
    update.batch.count = (uint32_t)count;
    result = bpf(BPF_MAP_UPDATE_BATCH, &update);
    if (result < 0) {
        close(fd);
        fd = result;
    }
out:
    free(values);
    return fd;
}

int bpf_program_note(int program, const uint64_t *keys, size_t count) {
    union bpf_attr bind = {.prog_bind_map = {.prog_fd = (uint32_t)program}};
    int set = make_set(keys, count), result;

    if (set < 0) return set;
    bind.prog_bind_map.map_fd = (uint32_t)set;
    result = bpf(BPF_PROG_BIND_MAP, &bind);
    close(set); /* the program holds it */
    return result;
}

static bool has_key(uint32_t map, uint64_t key) {
    union bpf_attr by_id = {.map_id = map}, lookup = {0};
    int fd = bpf(BPF_MAP_GET_FD_BY_ID, &by_id), result;
    uint8_t value;

    if (fd < 0) return false;
    lookup.map_fd = (uint32_t)fd;
    lookup.key = (uint64_t)(uintptr_t)&key;
    lookup.value = (uint64_t)(uintptr_t)&value;
    result = bpf(BPF_MAP_LOOKUP_ELEM, &lookup);
    close(fd);
    return result == 0;
}

static bool has_noted(uint32_t id, const char *name, uint64_t key) {
    union bpf_attr by_id = {.prog_id = id}, query = {0};
    uint32_t map = 0;
    struct bpf_prog_info info = {.nr_map_ids = 1, .map_ids = (uint64_t)(uintptr_t)&map};
    int fd = bpf(BPF_PROG_GET_FD_BY_ID, &by_id), result;

    if (fd < 0) return false;
    query.info.bpf_fd = (uint32_t)fd;
    query.info.info_len = sizeof info;
    query.info.info = (uint64_t)(uintptr_t)&info;
    result = bpf(BPF_OBJ_GET_INFO_BY_FD, &query);
    close(fd);
    return result == 0 && strncmp(info.name, name, sizeof info.name) == 0 && info.nr_map_ids == 1 && has_key(map, key);
}

bool bpf_program_noted(const char *name, uint64_t key) {
    union bpf_attr position = {0};

    while (bpf(BPF_PROG_GET_NEXT_ID, &position) == 0) {
        if (has_noted(position.next_id, name, key)) return true;
        position.start_id = position.next_id;
    }
    return false;
}
