/* For the programs that run under the shim: checks, and a look into the registry past the shim. */
#ifndef SHIM_TEST_CHECK_H
#define SHIM_TEST_CHECK_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../preload/registry/registry.h"

#define CHECK(condition)                                                                              \
    do {                                                                                              \
        if (!(condition)) {                                                                           \
            fprintf(stderr, "%s:%d: not so: %s (errno %d)\n", __FILE__, __LINE__, #condition, errno); \
            exit(1);                                                                                  \
        }                                                                                             \
    } while (0)

/* A call that must succeed, and leave errno alone. */
#define OK(call)                                                         \
    ({                                                                   \
        errno = 4711;                                                    \
        __typeof__(call) result_ = (call);                               \
        if (result_ < 0) fprintf(stderr, "%s: %m\n", #call);             \
        CHECK(result_ >= 0);                                             \
        if (errno != 4711) fprintf(stderr, "%s changed errno\n", #call); \
        CHECK(errno == 4711);                                            \
        result_;                                                         \
    })

/* A call that must fail so. */
#define FAILS(call, error)       \
    do {                         \
        errno = 0;               \
        CHECK((call) < 0);       \
        CHECK(errno == (error)); \
    } while (0)

static struct registry *registry;
static struct registry_view view;
static int memory_fd = -1, event_fd = -1;

/* Makes one as migrun-init does, in memory and an eventfd at the descriptors 1023 and 1022. */
static inline void registry_make(void) {
    memory_fd = memfd_create(REGISTRY_MEMFD_NAME, 0);
    event_fd = eventfd(0, EFD_NONBLOCK);
    CHECK(memory_fd >= 0 && event_fd >= 0 && ftruncate(memory_fd, REGISTRY_SIZE) == 0);
    registry = mmap(NULL, REGISTRY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
    CHECK(registry != MAP_FAILED);
    registry_init(registry);
    view.first = registry;
    CHECK(dup2(memory_fd, 1023) == 1023 && dup2(event_fd, 1022) == 1022);
    close(memory_fd);
    close(event_fd);
}

/* The next exec of this process has the shim, and this registry. */
static inline void go_under(const char *shim) {
    setenv(REGISTRY_ENV, "1023,1022", 1);
    setenv("LD_PRELOAD", shim, 1);
}

static inline void registry_open_at(int memory) {
    registry = mmap(NULL, REGISTRY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    CHECK(registry != MAP_FAILED && registry_valid(registry));
    view.first = registry;
}

static inline void registry_open(void) {
    CHECK(sscanf(getenv(REGISTRY_ENV), "%d,%d", &memory_fd, &event_fd) == 2);
    registry_open_at(memory_fd);
}

/* For a program that has more sockets by now than the first part has slots. */
static inline void registry_open_more(void) {
    CHECK(atomic_load(&registry->grown));
    view.more = mmap(NULL, sizeof *view.more, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, REGISTRY_SIZE);
    CHECK(view.more != MAP_FAILED);
}

static inline uint64_t inode_of(int fd) {
    struct stat status;

    CHECK(fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode));
    return status.st_ino;
}

/* -1: the registry does not know it, or its slot has no references. */
static inline int32_t slot_of_inode(uint64_t inode) {
    int32_t slot = registry_find(&view, inode);

    return slot >= 0 && registry_references(atomic_load(registry_word_at(&view, (uint32_t)slot))) ? slot : -1;
}

static inline uint32_t references_of_inode(uint64_t inode) {
    int32_t slot = slot_of_inode(inode);

    return slot < 0 ? 0 : registry_references(atomic_load(registry_word_at(&view, (uint32_t)slot)));
}

static inline uint32_t references(int fd) { return references_of_inode(inode_of(fd)); }

static inline struct registry_record *record(int fd) {
    int32_t slot = slot_of_inode(inode_of(fd));

    CHECK(slot >= 0);
    return registry_record_at(&view, (uint32_t)slot);
}

static inline uint32_t state(int fd) { return atomic_load(&record(fd)->state); }

/* Returns how often the shim told its supervisor of something since the last time. */
static inline uint64_t events(void) {
    uint64_t count = 0;

    return syscall(SYS_read, event_fd, &count, sizeof count) < 0 ? 0 : count;
}

static inline struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static inline struct sockaddr *generic(struct sockaddr_in *address) { return (struct sockaddr *)address; }

/* Makes a listening socket on a free port of the loopback; *at becomes its name. */
static inline int listening(struct sockaddr_in *at) {
    socklen_t length = sizeof *at;
    int fd = OK(socket(AF_INET, SOCK_STREAM, 0));

    *at = loopback(0);
    OK(bind(fd, generic(at), sizeof *at));
    OK(listen(fd, 16));
    CHECK(syscall(SYS_getsockname, fd, at, &length) == 0);
    return fd;
}

/* Makes a TCP connection of the program with itself: ends[0] has connected, ends[1] was accepted. */
static inline void tcp_pair(int ends[2]) {
    struct sockaddr_in at;
    int listener = listening(&at);

    ends[0] = OK(socket(AF_INET, SOCK_STREAM, 0));
    OK(connect(ends[0], generic(&at), sizeof at));
    ends[1] = OK(accept(listener, NULL, NULL));
    OK(close(listener));
}

/* Waits for the end of a child, which must be exit(0). */
static inline void succeeds(pid_t child) {
    int status;

    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#endif
