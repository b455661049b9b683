/* Calls that change what a socket is. */
#include "freeze/attempt.h"
#include "names.h"
#include "options.h"
#include "registry/table.h"
#include "shim.h"

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

/* AF_UNSPEC takes a connection apart (connect(2)). A connect on a socket that connects already keeps the names: to connect
 * again is how a program learns how it went. */
static void connected(int fd, const struct sockaddr *address, socklen_t length) {
    struct registry_record *record = table_record(fd);

    if (!record) return;
    if (address && length >= sizeof address->sa_family && address->sa_family == AF_UNSPEC) {
        atomic_store(&record->state, REGISTRY_NEW);
        names_forget(fd);
        return;
    }
    if (atomic_load(&record->state) < REGISTRY_CONNECTED) names_forget(fd);
    atomic_store(&record->state, REGISTRY_CONNECTED);
    names_note_peer(fd, address, length);
    table_notify(fd);
}

int shim_connect(int fd, const struct sockaddr *address, socklen_t length) {
    struct attempt attempt = attempt_begin();
    int result, error;

    do result = libc.connect(fd, address, length);
    while (result < 0 && attempt_again(&attempt));
    error = errno;
    if (result == 0 || error == EINPROGRESS)
        connected(fd, address, length);
    else if (error == EISCONN)
        set_state(fd, REGISTRY_CONNECTED);
    errno = error;
    return result;
}
