#include "kernel/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int descriptors_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0; }

int descriptors_seqpacket(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ? -errno : 0;
}

int descriptors_memfd(const char *name) {
    int fd = memfd_create(name, MFD_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

int descriptors_pty(uint16_t rows, uint16_t columns, int *master, int *slave) {
    const int flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
    const int locked = 0;
    int result, other;
    int first = posix_openpt(flags);

    if (first < 0) return -errno;
    if (ioctl(first, TIOCSPTLCK, &locked) < 0) goto fail;
    /* Opened through the master: right also where /dev/pts is another instance than the master's. */
    other = ioctl(first, TIOCGPTPEER, flags);
    if (other < 0) goto fail;
    result = descriptors_set_window_size(first, rows, columns);
    if (result < 0) {
        close(other);
        close(first);
        return result;
    }
    *master = first;
    *slave = other;
    return 0;
fail:
    result = -errno;
    close(first);
    return result;
}

int descriptors_set_window_size(int fd, uint16_t rows, uint16_t columns) {
    struct winsize size = {.ws_row = rows, .ws_col = columns};

    return ioctl(fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}
