#include "bpf.h"

#include "result.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int bpf_load(enum bpf_prog_type type, enum bpf_attach_type attach, const struct bpf_insn *code, size_t count) {
    char log[4096] = "";
    union bpf_attr attributes = {
        .prog_type = type,
        .expected_attach_type = attach,
        .insns = (uintptr_t)code,
        .insn_cnt = count,
        .license = (uintptr_t) "GPL",
        .log_buf = (uintptr_t)log,
        .log_size = sizeof(log),
        .log_level = 1,
    };
    int program = syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes));

    if (program < 0 && (errno == EPERM || errno == ENOSYS)) missing("bpf(): %s", strerror(errno));
    if (program < 0) fputs(log, stderr);
    return need(program);
}

int bpf_attach(int program, const char *name, enum bpf_attach_type attach) {
    char path[512];
    union bpf_attr attributes = {0};
    int link;

    snprintf(path, sizeof(path), "%s/%s", cgroup_folder(), name);
    attributes.link_create.prog_fd = program;
    attributes.link_create.target_fd = need(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    attributes.link_create.attach_type = attach;
    link = need(syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes)));
    close(attributes.link_create.target_fd);
    close(program);
    return link;
}
