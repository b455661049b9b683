#include "socket/records.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <sys/socket.h>

static void *records; /* a tree of tsearch(3) */

static int by_cookie(const void *left, const void *right) {
    const struct socket_record *a = left, *b = right;

    return (a->cookie > b->cookie) - (a->cookie < b->cookie);
}

struct socket_record *socket_record_find(uint64_t cookie) {
    const struct socket_record key = {.cookie = cookie};
    struct socket_record **found = tfind(&key, &records, by_cookie);

    return found ? *found : NULL;
}

struct socket_record *socket_record_make(uint64_t cookie) {
    struct socket_record *record = socket_record_find(cookie);

    if (record) return record;
    record = calloc(1, sizeof *record);
    if (!record) return NULL;
    record->cookie = cookie;
    if (tsearch(record, &records, by_cookie)) return record;
    free(record);
    return NULL;
}

void socket_record_drop(uint64_t cookie) {
    struct socket_record *record = socket_record_find(cookie);

    if (!record) return;
    tdelete(record, &records, by_cookie);
    free(record->own.code);
    free(record);
}
