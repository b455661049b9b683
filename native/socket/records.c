#include "socket/records.h"

#include "socket/socket.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

static void *records; /* a tree of tsearch(3) */

static int by_cookie(const void *left, const void *right) {
    const struct socket_record *a = left, *b = right;

    return (a->cookie > b->cookie) - (a->cookie < b->cookie);
}

int socket_record_find(int fd, struct socket_record **record) {
    struct socket_record key = {0}, **found;
    int result = socket_cookie(fd, &key.cookie);

    found = result < 0 ? NULL : tfind(&key, &records, by_cookie);
    *record = found ? *found : NULL;
    return result;
}

int socket_record_make(int fd, struct socket_record **record) {
    int result = socket_record_find(fd, record);

    if (result < 0 || *record) return result;
    *record = calloc(1, sizeof **record);
    if (!*record) return -ENOMEM;
    result = socket_cookie(fd, &(*record)->cookie);
    if (result == 0 && !tsearch(*record, &records, by_cookie)) result = -ENOMEM;
    if (result < 0) free(*record);
    return result;
}

void socket_record_drop(struct socket_record *record) {
    if (!record) return;
    tdelete(record, &records, by_cookie);
    free(record->own.code);
    free(record);
}

void socket_record_forget(int fd) {
    struct socket_record *record;

    if (socket_record_find(fd, &record) == 0) socket_record_drop(record);
}
