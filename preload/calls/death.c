/* Calls that close descriptors. */
#include <limits.h>

#include "registry/protected.h"
#include "registry/table.h"
#include "shim.h"

int shim_close(int fd) {
    uint64_t entry;
    int result;

    if (protected_refuses(fd)) return -1;
    entry = table_remove(fd);
    result = libc.close(fd);
    /* Linux has closed it whatever the error is, unless that is EBADF (close(2)). */
    table_bury(entry);
    return result;
}

int shim_fclose(FILE *stream) {
    int error = errno;
    uint64_t entry = table_remove(fileno(stream));
    int result;

    errno = error;
    result = libc.fclose(stream);
    table_bury(entry);
    return result;
}

/* Closes all but the two descriptors of ours, in up to three pieces. */
static int close_around(unsigned int first, unsigned int last, int flags) {
    unsigned int memory = (unsigned int)atomic_load(&memory_fd), event = (unsigned int)atomic_load(&event_fd);
    unsigned int gaps[2] = {memory < event ? memory : event, memory < event ? event : memory};

    for (int i = 0; i < 2; i++) {
        if (gaps[i] < first || gaps[i] > last) continue;
        if (gaps[i] > first && libc.close_range(first, gaps[i] - 1, flags) < 0) return -1;
        if (gaps[i] == last) return 0;
        first = gaps[i] + 1;
    }
    return libc.close_range(first, last, flags);
}

int shim_close_range(unsigned int first, unsigned int last, int flags) {
    if (!registry || first > last || (flags & ~(CLOSE_RANGE_CLOEXEC | CLOSE_RANGE_UNSHARE)))
        return libc.close_range(first, last, flags);
    if (!(flags & CLOSE_RANGE_CLOEXEC)) table_forget_range(first, last);
    return close_around(first, last, flags);
}

/* closefrom(3) cannot fail: without close_range(2), which a sandbox may forbid, it closes one by one. */
void shim_closefrom(int first) {
    int error = errno;
    unsigned int from = first < 0 ? 0 : (unsigned int)first;

    if (!registry) {
        libc.closefrom(first);
        return;
    }
    if (shim_close_range(from, UINT_MAX, 0) < 0)
        for (long fd = from; fd < sysconf(_SC_OPEN_MAX); fd++) shim_close((int)fd);
    errno = error;
}
