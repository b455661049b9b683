#include "socket/lock_filters.h"

#include "kernel/bpf.h"
#include "socket/records.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LEASE_NAME "migrun_lock"

/* First instruction of a classic lock: loads a constant nobody uses. By it a lock is recognised. */
#define PLAIN_MARK 0x6d67706cu  /* "mgpl" */
#define RESETS_MARK 0x6d677273u /* "mgrs" */
#define LOCAL_MARK 0x6d676c6fu  /* "mglo" */

#define TCP_FLAGS_OFFSET 13 /* a socket filter on TCP sees the segment from its TCP header on */
#define TCP_FLAG_RST 0x04
#define LOOPBACK_INDEX 1 /* in every network namespace: LOOPBACK_IFINDEX of include/net/flow.h */

static const struct sock_filter plain[] = {
    BPF_STMT(BPF_LD | BPF_IMM, PLAIN_MARK),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

/* What is no reset goes on to the program's own filter, which expects an accumulator of zero, or to `accept`. */
static const struct sock_filter resets[] = {
    BPF_STMT(BPF_LD | BPF_IMM, RESETS_MARK),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_OFFSET),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TCP_FLAG_RST, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, 0),
    BPF_STMT(BPF_LD | BPF_IMM, 0),
};

static const struct sock_filter local[] = {
    BPF_STMT(BPF_LD | BPF_IMM, LOCAL_MARK),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_IFINDEX),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LOOPBACK_INDEX, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, 0),
    BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
};

/* Ends a lock where the program has no filter. No program has this one: 0xffffffff is the usual way to say it. */
static const struct sock_filter accept_all = BPF_STMT(BPF_RET | BPF_K, 0x6d67616c);

static const struct {
    const struct sock_filter *code;
    uint16_t length;
} classic[] = {
    [LOCK_PLAIN] = {plain, sizeof plain / sizeof plain[0]},
    [LOCK_RESETS] = {resets, sizeof resets / sizeof resets[0]},
    [LOCK_LOCAL] = {local, sizeof local / sizeof local[0]},
};

int lock_lease_load(uint64_t lease_end, const uint64_t *cookies, size_t count) {
    const struct bpf_insn code[] = {
        BPF_CALL_HELPER(BPF_FUNC_ktime_get_ns),
        BPF_MOVE_IMM64(BPF_REG_1, lease_end),
        BPF_JUMP_REG(BPF_JGE, BPF_REG_0, BPF_REG_1, 2),
        BPF_MOVE_IMM(BPF_REG_0, 0),
        BPF_RETURN(),
        BPF_MOVE_IMM(BPF_REG_0, -1),
        BPF_RETURN(),
    };

    int program = bpf_program_load(BPF_PROG_TYPE_SOCKET_FILTER, 0, LEASE_NAME, code, sizeof code / sizeof code[0]);
    int result = program < 0 || count == 0 ? 0 : bpf_program_note(program, cookies, count);

    if (result == 0) return program;
    close(program);
    return result;
}

int lock_lease_attach(int fd, int program) {
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program) ? -errno : 0;
}

static int attach(int fd, const struct sock_filter *code, uint16_t length) {
    /* The kernel only reads the program; struct sock_fprog lacks the const. */
    const struct sock_fprog program = {.len = length, .filter = (struct sock_filter *)(uintptr_t)code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) ? -errno : 0;
}

int lock_classic_attach(int fd, enum lock_kind kind, const struct own_filter *own) {
    uint16_t prefix = classic[kind].length;
    struct sock_filter code[BPF_MAXINSNS];

    if (own->length >= BPF_MAXINSNS - prefix) return -E2BIG;
    memcpy(code, classic[kind].code, prefix * sizeof *code);
    code[prefix] = accept_all;
    if (own->length == 0) return attach(fd, code, (uint16_t)(prefix + 1));
    memcpy(code + prefix, own->code, own->length * sizeof *code);
    return attach(fd, code, (uint16_t)(prefix + own->length));
}

int lock_detach(int fd, const struct own_filter *own) {
    const int ignored = 0;

    if (own->length) return attach(fd, own->code, own->length);
    if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &ignored, sizeof ignored) && errno != ENOENT) return -errno;
    return 0;
}

static enum lock_kind classic_kind(const struct sock_filter *code, uint16_t length) {
    for (enum lock_kind kind = LOCK_PLAIN; kind <= LOCK_LOCAL; kind++)
        if (length >= classic[kind].length &&
            memcmp(code, classic[kind].code, classic[kind].length * sizeof *code) == 0)
            return kind;
    return LOCK_NONE;
}

int lock_identify(int fd, enum lock_kind *kind, struct own_filter *own) {
    struct sock_filter code[BPF_MAXINSNS];
    socklen_t length = BPF_MAXINSNS; /* in instructions: sk_get_filter() in net/core/filter.c */
    uint64_t cookie;
    uint16_t prefix;
    int result;

    *kind = LOCK_NONE;
    *own = (struct own_filter){0};
    if (getsockopt(fd, SOL_SOCKET, SO_GET_FILTER, code, &length)) {
        if (errno != EACCES) return -errno;
        /* An eBPF filter: a lease that another process left, or the program's own. */
        if ((result = socket_cookie(fd, &cookie)) < 0) return result;
        if (!bpf_program_noted(LEASE_NAME, cookie)) return -EBUSY;
        *kind = LOCK_LEASE;
        return 0;
    }
    *kind = classic_kind(code, (uint16_t)length);
    prefix = *kind == LOCK_NONE ? 0 : classic[*kind].length;
    if (length == prefix) return 0;
    if (*kind != LOCK_NONE && length == prefix + 1u && memcmp(code + prefix, &accept_all, sizeof accept_all) == 0)
        return 0;
    own->length = (uint16_t)(length - prefix);
    own->code = malloc(own->length * sizeof *own->code);
    if (!own->code) return -ENOMEM;
    memcpy(own->code, code + prefix, own->length * sizeof *own->code);
    return 0;
}
