/* Every call that closes a descriptor of a socket makes it unknown. */
#include "check.h"

#define MANY 8

static uint64_t inodes[MANY];
static int fds[MANY];

/* Opens them at descriptors 100 and up. */
static void open_many(void) {
    for (int i = 0; i < MANY; i++) {
        int fd = OK(socket(AF_INET, SOCK_STREAM, 0));
        fds[i] = OK(dup2(fd, 100 + i));
        OK(close(fd));
        inodes[i] = inode_of(fds[i]);
        CHECK(references_of_inode(inodes[i]) == 1);
    }
}

static void known(int first, int last) {
    for (int i = 0; i < MANY; i++) CHECK(references_of_inode(inodes[i]) == (i >= first && i <= last ? 1 : 0));
}

static void ranges(void) {
    open_many();
    OK(close_range(102, 104, 0));
    CHECK(references_of_inode(inodes[1]) == 1 && references_of_inode(inodes[2]) == 0);
    CHECK(references_of_inode(inodes[4]) == 0 && references_of_inode(inodes[5]) == 1);
    FAILS(fcntl(103, F_GETFD), EBADF);
    OK(close_range(100, 101, CLOSE_RANGE_CLOEXEC));
    CHECK(references_of_inode(inodes[0]) == 1 && fcntl(100, F_GETFD) == FD_CLOEXEC);
    FAILS(close_range(5, 4, 0), EINVAL);
    FAILS(close_range(100, 200, 64), EINVAL);
    CHECK(references_of_inode(inodes[0]) == 1);
    OK(close_range(100, ~0u, 0));
    known(1, 0);
}

static void from(void) {
    open_many();
    errno = 4711;
    closefrom(104);
    CHECK(errno == 4711);
    known(0, 3);
    closefrom(100);
    known(1, 0);
}

static void singles(void) {
    open_many();
    for (int i = 0; i < MANY; i++) {
        OK(close(fds[i]));
        known(i + 1, MANY - 1);
        FAILS(close(fds[i]), EBADF);
    }
    FAILS(close(-1), EBADF);
}

static void streams(void) {
    FILE *stream;

    open_many();
    stream = fdopen(fds[0], "r+");
    CHECK(stream);
    OK(fclose(stream));
    known(1, MANY - 1);
    OK(close_range(100, 200, 0));
}

int main(void) {
    registry_open();
    singles();
    ranges();
    from();
    streams();
    return 0;
}
