/* Waiting for a socket's thaw. */
#include <linux/futex.h>
#include <sys/syscall.h>

#include "shim.h"

bool is_frozen(int fd) {
    struct registry_record *record = table_record(fd);

    return record && atomic_load(&record->freeze);
}

/* Whether a call on fd with these MSG_ flags may block. errno untouched. */
bool is_blocking(int fd, int flags) {
    int error = errno;
    bool blocking = !(flags & MSG_DONTWAIT) && !(libc.fcntl(fd, F_GETFL, NULL) & O_NONBLOCK);

    errno = error;
    return blocking;
}

/* Until fd is not frozen. 0, -EINTR: a handler of the program ran, -ETIMEDOUT. errno untouched. The word is shared
 * memory that CRIU carries: a wait that began on one host ends on the next. */
int wait_thaw(int fd, const struct deadline *deadline) {
    uint32_t handlers = handlers_run;
    int error = errno;
    int result = 0;

    for (;;) {
        struct registry_record *record = table_record(fd);
        uint32_t word = record ? atomic_load(&record->freeze) : 0;
        if (!word) break;

        int64_t left = deadline_left(deadline);
        struct timespec timeout = to_timespec(left);
        if (left == 0) {
            result = -ETIMEDOUT;
            break;
        }
        if (syscall(SYS_futex, &record->freeze, FUTEX_WAIT, word, left < 0 ? NULL : &timeout, NULL, 0) < 0 &&
            errno == EINTR && handlers_run != handlers) {
            result = -EINTR;
            break;
        }
    }
    errno = error;
    return result;
}

int hold_frozen(int fd, int flags) {
    const struct deadline never = {.budget = -1};

    if (!is_frozen(fd)) return 0;
    if (flags == HOLD_ALWAYS) {
        while (wait_thaw(fd, &never) < 0)
            ;
        return 0;
    }
    if (!is_blocking(fd, flags)) {
        errno = EAGAIN;
        return -1;
    }
    if (wait_thaw(fd, &never) < 0) {
        errno = EINTR;
        return -1;
    }
    return 0;
}
