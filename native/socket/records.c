#include "socket/records.h"

#include "kernel/array.h"
#include "socket/socket.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

static void *records; /* a tree of tsearch(3) */

int socket_record_find(int fd, struct socket_record **record) {
    struct socket_record key = {0}, **found;
    int result = socket_cookie(fd, &key.cookie);

    found = result < 0 ? NULL : tfind(&key, &records, array_compare64);
    *record = found ? *found : NULL;
    return result;
}

int socket_record_make(int fd, struct socket_record **record) {
    int result = socket_record_find(fd, record);

    if (result < 0 || *record) return result;
    *record = calloc(1, sizeof **record);
    if (!*record) return -ENOMEM;
    result = socket_cookie(fd, &(*record)->cookie);
    if (result == 0 && !tsearch(*record, &records, array_compare64)) result = -ENOMEM;
    if (result < 0) free(*record);
    return result;
}

void socket_record_drop(struct socket_record *record) {
    if (!record) return;
    tdelete(record, &records, array_compare64);
    free(record->own.code);
    free(record);
}

void socket_record_forget(int fd) {
    struct socket_record *record;

    if (socket_record_find(fd, &record) == 0) socket_record_drop(record);
}
