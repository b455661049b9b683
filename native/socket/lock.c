#include "socket/lock.h"

#include "kernel/bpf.h"
#include "kernel/files.h"
#include "socket/headers.h"

#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LEASE_NAME "migrun_lock"

enum lock_kind { LOCK_NONE, LOCK_PLAIN, LOCK_RESETS, LOCK_LOCAL, LOCK_LEASE };

/* The first instruction of a classic lock loads a constant that nobody uses: by it a lock is recognised. */
#define PLAIN_MARK 0x6d67706cu  /* "mgpl" */
#define RESETS_MARK 0x6d677273u /* "mgrs" */
#define LOCAL_MARK 0x6d676c6fu  /* "mglo" */

#define LOOPBACK_INDEX 1 /* in every network namespace: LOOPBACK_IFINDEX of include/net/flow.h */

static const struct sock_filter plain[] = {
    BPF_STMT(BPF_LD | BPF_IMM, PLAIN_MARK),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

/*
 * A socket filter on TCP sees the segment from its TCP header on. What is no reset goes on to the program's own filter,
 * which expects an accumulator of zero, or to `accept_all`.
 */
static const struct sock_filter resets[] = {
    BPF_STMT(BPF_LD | BPF_IMM, RESETS_MARK),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_RST, 0, 1),
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

/* Ends a lock where the program has no filter of its own. No program's filter ends so: they accept with 0xffffffff. */
static const struct sock_filter accept_all = BPF_STMT(BPF_RET | BPF_K, 0x6d67616c);

static const struct {
    const struct sock_filter *code;
    uint16_t length;
} classic[] = {
    [LOCK_PLAIN] = {plain, sizeof plain / sizeof plain[0]},
    [LOCK_RESETS] = {resets, sizeof resets / sizeof resets[0]},
    [LOCK_LOCAL] = {local, sizeof local / sizeof local[0]},
};

/* The program of a lease, for the sockets of these cookies: its descriptor, which the caller closes, or -errno. */
static int load_program(uint64_t lease_end, const uint64_t *cookies, size_t count) {
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

static int attach_lease(int fd, int program) {
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_BPF, &program, sizeof program) ? -errno : 0;
}

static int attach(int fd, const struct sock_filter *code, uint16_t length) {
    /* The kernel only reads the program; struct sock_fprog lacks the const. */
    const struct sock_fprog program = {.len = length, .filter = (struct sock_filter *)(uintptr_t)code};

    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) ? -errno : 0;
}

/* Attaches a lock with the program's own filter behind it. */
static int attach_classic(int fd, enum lock_kind kind, const struct own_filter *own) {
    uint16_t prefix = classic[kind].length;
    struct sock_filter code[BPF_MAXINSNS];

    if (own->length >= BPF_MAXINSNS - prefix) return -E2BIG;
    memcpy(code, classic[kind].code, prefix * sizeof *code);
    code[prefix] = accept_all;
    if (own->length == 0) return attach(fd, code, (uint16_t)(prefix + 1));
    memcpy(code + prefix, own->code, own->length * sizeof *code);
    return attach(fd, code, (uint16_t)(prefix + own->length));
}

/* Takes any filter off the socket, and attaches the program's own if there is one. */
static int detach(int fd, const struct own_filter *own) {
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

/*
 * Tells what is attached: which lock, and the program's own filter (`own`, whose code the caller frees) as far as it
 * can be read. -EBUSY for an eBPF filter that is not a lease.
 */
static int identify(int fd, enum lock_kind *kind, struct own_filter *own) {
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

#define NANOSECONDS_PER_MS 1000000ull

/* bpf_ktime_get_ns() reads the same clock. */
static uint64_t now(void) { return (uint64_t)clock_now(CLOCK_MONOTONIC); }

bool socket_is_locked(const struct socket_record *record) {
    return record && record->locked && (record->lease_end == 0 || record->lease_end > now());
}

int socket_lock_record(int fd, struct socket_record **record) {
    struct own_filter own;
    enum lock_kind kind;
    int result = socket_record_find(fd, record);

    if (result < 0 || (*record && (*record)->locked)) return result;
    result = identify(fd, &kind, &own);
    if (result < 0) return result;
    result = socket_record_make(fd, record);
    if (result < 0) {
        free(own.code);
        return result;
    }
    free((*record)->own.code);
    (*record)->own = own;
    return 0;
}

bool socket_has_ebpf_filter(int fd) {
    struct own_filter own;
    enum lock_kind kind;
    int result = identify(fd, &kind, &own);

    free(own.code);
    return result == -EBUSY;
}

static int lock_one(int fd, int program, uint64_t lease_end, bool *renewed) {
    struct socket_record *record;
    int result = socket_lock_record(fd, &record);

    if (result < 0) return result;
    *renewed = record->locked;
    result = lease_end ? attach_lease(fd, program) : attach_classic(fd, LOCK_PLAIN, &record->own);
    if (result == 0) {
        record->locked = true;
        record->lease_end = lease_end;
    } else if (!record->locked) {
        socket_record_drop(record);
    }
    return result;
}

static int load_lease(uint64_t lease_end, const int *fds, size_t count) {
    uint64_t *cookies = calloc(count ? count : 1, sizeof *cookies);
    int result = cookies ? 0 : -ENOMEM;

    for (size_t i = 0; result == 0 && i < count; i++) result = socket_cookie(fds[i], &cookies[i]);
    if (result == 0) result = load_program(lease_end, cookies, count);
    free(cookies);
    return result;
}

int socket_lock(const int *fds, size_t count, uint32_t lease_ms, struct failure *failure) {
    uint64_t lease_end = lease_ms ? now() + lease_ms * NANOSECONDS_PER_MS : 0;
    bool *renewed = calloc(count ? count : 1, sizeof *renewed);
    int program = -1, result = renewed ? 0 : -ENOMEM;
    size_t done = 0;

    *failure = (struct failure){.step = "BPF_PROG_LOAD"};
    if (result == 0 && lease_end) program = result = load_lease(lease_end, fds, count);
    if (result < 0) goto out;
    failure->step = "SO_ATTACH_FILTER";
    for (result = 0; done < count; done++) {
        result = lock_one(fds[done], program, lease_end, &renewed[done]);
        if (result < 0) break;
    }
    if (result == 0) goto out;
    failure->index = done;
    while (done-- > 0) {
        struct failure ignored;

        if (!renewed[done]) socket_unlock(&fds[done], 1, &ignored);
    }
out:
    if (program >= 0) close(program); /* the sockets hold it */
    free(renewed);
    return result;
}

static int lock_as(int fd, enum lock_kind kind, struct socket_record *record) {
    int result = attach_classic(fd, kind, &record->own);

    if (result < 0) return result;
    record->locked = true;
    record->lease_end = 0;
    return 0;
}

int socket_lock_resets(int fd, struct socket_record *record) { return lock_as(fd, LOCK_RESETS, record); }

int socket_lock_local(int fd, struct socket_record *record) { return lock_as(fd, LOCK_LOCAL, record); }

int socket_unlock_one(int fd, struct socket_record *record) {
    int result = detach(fd, &record->own);

    if (result < 0) return result;
    free(record->own.code);
    record->own = (struct own_filter){0};
    record->locked = false;
    return 0;
}

static int unlock_one(int fd, const char **step) {
    struct socket_record *record;
    struct own_filter own;
    enum lock_kind kind;
    int result = socket_record_find(fd, &record);

    *step = "SO_DETACH_FILTER";
    if (result < 0) return result;
    if (record && record->locked) {
        result = socket_unlock_one(fd, record);
        if (result == 0 && !record->in_repair) socket_record_drop(record);
        return result;
    }
    /* A process before this one may have locked it. A filter that is no lock is not ours to touch. */
    result = identify(fd, &kind, &own);
    if (result == -EBUSY) return 0;
    if (result == 0 && kind != LOCK_NONE) result = detach(fd, &own);
    free(own.code);
    return result;
}

int socket_unlock(const int *fds, size_t count, struct failure *failure) {
    return socket_each(fds, count, unlock_one, failure);
}
