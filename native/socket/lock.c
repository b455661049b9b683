#include "socket/lock.h"

#include "socket/lock_filters.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NANOSECONDS_PER_MS 1000000ull
#define NANOSECONDS_PER_S 1000000000ull

/* bpf_ktime_get_ns() reads the same clock. */
static uint64_t now(void) {
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * NANOSECONDS_PER_S + (uint64_t)time.tv_nsec;
}

bool socket_is_locked(const struct socket_record *record) {
    return record && record->locked && (record->lease_end == 0 || record->lease_end > now());
}

static struct own_filter own_of(const struct socket_record *record) {
    return (struct own_filter){record->own_filter, record->own_filter_length};
}

int socket_lock_record(int fd, struct socket_record **record) {
    struct own_filter own;
    enum lock_kind kind;
    uint64_t cookie;
    int result = socket_cookie(fd, &cookie);

    if (result < 0) return result;
    *record = socket_record_find(cookie);
    if (*record && (*record)->locked) return 0;
    result = lock_identify(fd, &kind, &own);
    if (result < 0) return result;
    *record = socket_record_make(cookie);
    if (!*record) {
        free(own.code);
        return -ENOMEM;
    }
    free((*record)->own_filter);
    (*record)->own_filter = own.code;
    (*record)->own_filter_length = own.length;
    return 0;
}

static int lock_one(int fd, int program, uint64_t lease_end, bool *renewed) {
    struct socket_record *record;
    struct own_filter own;
    int result = socket_lock_record(fd, &record);

    if (result < 0) return result;
    *renewed = record->locked;
    own = own_of(record);
    result = lease_end ? lock_lease_attach(fd, program) : lock_classic_attach(fd, LOCK_PLAIN, &own);
    if (result == 0) {
        record->locked = true;
        record->lease_end = lease_end;
    } else if (!record->locked) {
        socket_record_drop(record->cookie);
    }
    return result;
}

static int load_lease(uint64_t lease_end, const int *fds, size_t count) {
    uint64_t *cookies = calloc(count ? count : 1, sizeof *cookies);
    int result = cookies ? 0 : -ENOMEM;

    for (size_t i = 0; result == 0 && i < count; i++) result = socket_cookie(fds[i], &cookies[i]);
    if (result == 0) result = lock_lease_load(lease_end, cookies, count);
    free(cookies);
    return result;
}

int socket_lock_all(const int *fds, size_t count, uint32_t lease_ms, struct failure *failure) {
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

        if (!renewed[done]) socket_unlock_all(&fds[done], 1, &ignored);
    }
out:
    if (program >= 0) close(program); /* the sockets hold it */
    free(renewed);
    return result;
}

static int lock_as(int fd, enum lock_kind kind, struct socket_record *record) {
    struct own_filter own = own_of(record);
    int result = lock_classic_attach(fd, kind, &own);

    if (result < 0) return result;
    record->locked = true;
    record->lease_end = 0;
    return 0;
}

int socket_lock_resets(int fd, struct socket_record *record) { return lock_as(fd, LOCK_RESETS, record); }

int socket_lock_local(int fd, struct socket_record *record) { return lock_as(fd, LOCK_LOCAL, record); }

int socket_unlock(int fd, struct socket_record *record) {
    struct own_filter own = own_of(record);
    int result = lock_detach(fd, &own);

    if (result < 0) return result;
    free(record->own_filter);
    record->own_filter = NULL;
    record->own_filter_length = 0;
    record->locked = false;
    return 0;
}

static int unlock_one(int fd) {
    struct socket_record *record;
    struct own_filter own;
    enum lock_kind kind;
    uint64_t cookie;
    int result = socket_cookie(fd, &cookie);

    if (result < 0) return result;
    record = socket_record_find(cookie);
    if (record && record->locked) {
        result = socket_unlock(fd, record);
        if (result == 0 && !record->in_repair) socket_record_drop(cookie);
        return result;
    }
    /* A lock of a process before this one. A filter that is no lock of ours is not ours to touch. */
    result = lock_identify(fd, &kind, &own);
    if (result == -EBUSY) return 0;
    if (result == 0 && kind != LOCK_NONE) result = lock_detach(fd, &own);
    free(own.code);
    return result;
}

int socket_unlock_all(const int *fds, size_t count, struct failure *failure) {
    int first = 0;

    for (size_t i = 0; i < count; i++) {
        int result = unlock_one(fds[i]);

        if (result == 0 || first) continue;
        first = result;
        *failure = (struct failure){.index = i, .step = "SO_DETACH_FILTER"};
    }
    return first;
}
