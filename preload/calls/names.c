#include "names.h"

#include <string.h>

#include "freeze/attempt.h"
#include "options.h"
#include "registry/table.h"
#include "shim.h"

typedef int (*question)(int fd, struct sockaddr *address, socklen_t *length);

static void note(struct registry_name *name, const void *address, socklen_t length) {
    if (length < sizeof(sa_family_t) || length > sizeof name->bytes) return;
    memcpy(name->bytes, address, length);
    atomic_store(&name->length, length);
}

void names_note_peer(int fd, const struct sockaddr *address, socklen_t length) {
    struct registry_record *record = table_record(fd);

    if (!record || record->type != SOCK_STREAM || !address) return;
    note(&record->peer, address, length);
}

static void forget(struct registry_record *record) {
    atomic_store(&record->local.length, 0);
    atomic_store(&record->peer.length, 0);
}

/* A connect on a socket that connects already keeps the names: to connect again is how a program learns how it went. */
void names_connected(int fd, const struct sockaddr *peer, socklen_t length) {
    struct registry_record *record = table_record(fd);

    if (!record) return;
    if (atomic_load(&record->state) < REGISTRY_CONNECTED) forget(record);
    atomic_store(&record->state, REGISTRY_CONNECTED);
    names_note_peer(fd, peer, length);
    table_notify(fd);
}

/* The kernel answers whether there is a name; which one it is, the record, where it knows. */
static int answer(int fd, struct registry_name *name, question ask, struct sockaddr *address, socklen_t *length) {
    struct sockaddr_storage real;
    socklen_t real_length = sizeof real, room = *length;
    uint32_t noted;

    if (ask(fd, (struct sockaddr *)&real, &real_length) < 0) return -1;
    noted = atomic_load(&name->length);
    if (noted && noted <= sizeof name->bytes) {
        memcpy(&real, name->bytes, noted);
        real_length = noted;
    } else {
        note(name, &real, real_length);
    }
    memcpy(address, &real, room < real_length ? room : real_length);
    *length = real_length;
    return 0;
}

/* A length that is negative for the kernel, and a missing pointer, are libc's to complain about. */
static bool is_valid(const struct sockaddr *address, const socklen_t *length) {
    return address && length && (int)*length >= 0;
}

/* A listening socket has a local name that stays, a connection has both. */
static int tell(int fd, bool is_peer, struct sockaddr *address, socklen_t *length) {
    enum registry_state least = is_peer ? REGISTRY_CONNECTED : REGISTRY_LISTENING;
    question ask = is_peer ? libc.getpeername : libc.getsockname;
    struct registry_record *record = table_record(fd);

    if (!record || record->type != SOCK_STREAM || atomic_load(&record->state) < least || !is_valid(address, length))
        return ask(fd, address, length);
    return answer(fd, is_peer ? &record->peer : &record->local, ask, address, length);
}

int shim_getsockname(int fd, struct sockaddr *address, socklen_t *length) { return tell(fd, false, address, length); }

int shim_getpeername(int fd, struct sockaddr *address, socklen_t *length) { return tell(fd, true, address, length); }

/* Calls that change what a socket is. */

static void set_state(int fd, enum registry_state state) {
    struct registry_record *record = table_record(fd);

    if (record) atomic_store(&record->state, state);
}

int shim_bind(int fd, const struct sockaddr *address, socklen_t length) {
    int result = libc.bind(fd, address, length);

    if (result == 0) options_joined(fd);
    return result;
}

int shim_listen(int fd, int backlog) {
    int result = libc.listen(fd, backlog);

    if (result == 0) {
        set_state(fd, REGISTRY_LISTENING);
        options_joined(fd);
        table_notify(fd);
    }
    return result;
}

int shim_shutdown(int fd, int how) {
    int result = libc.shutdown(fd, how);

    if (result == 0) table_notify(fd);
    return result;
}

/* AF_UNSPEC takes a connection apart (connect(2)). */
static void connected(int fd, const struct sockaddr *address, socklen_t length) {
    struct registry_record *record = table_record(fd);

    if (!address || length < sizeof address->sa_family || address->sa_family != AF_UNSPEC) {
        names_connected(fd, address, length);
    } else if (record) {
        atomic_store(&record->state, REGISTRY_NEW);
        forget(record);
    }
}

int shim_connect(int fd, const struct sockaddr *address, socklen_t length) {
    struct attempt attempt = attempt_begin();
    int result = ATTEMPT(&attempt, libc.connect(fd, address, length)), error = errno;

    if (result == 0 || error == EINPROGRESS)
        connected(fd, address, length);
    else if (error == EISCONN)
        set_state(fd, REGISTRY_CONNECTED);
    errno = error;
    return result;
}
