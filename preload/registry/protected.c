#include "protected.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "descriptors.h"

struct registry *registry;
struct registry_view view;
static _Atomic uint32_t no_freezes;
_Atomic uint32_t *freezes = &no_freezes;
_Atomic int memory_fd = -1;
_Atomic int event_fd = -1;

/* Maps the registry behind fd. NULL: it is something else. */
static struct registry *map(int fd) {
    struct stat status;
    void *memory;

    if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || (uint64_t)status.st_size < REGISTRY_SIZE) return NULL;
    memory = mmap(NULL, REGISTRY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) return NULL;
    if (registry_valid(memory)) return memory;
    munmap(memory, REGISTRY_SIZE);
    return NULL;
}

/* Takes "<memfd>,<eventfd>" apart. */
static bool parse(const char *text, int *memory, int *event) {
    char *end;
    long first, second;

    if (!text) return false;
    first = strtol(text, &end, 10);
    if (end == text || *end != ',') return false;
    text = end + 1;
    second = strtol(text, &end, 10);
    if (end == text || *end || first < 0 || first > INT_MAX || second < 0 || second > INT_MAX) return false;
    *memory = (int)first;
    *event = (int)second;
    return true;
}

/* For each_descriptor. The memfd's name in /proc is "/memfd:NAME (deleted)". */
static int has_registry_name(int fd, void *found) {
    static const char prefix[] = "/memfd:" REGISTRY_MEMFD_NAME " ";
    char path[32], target[sizeof prefix + 16];
    ssize_t length;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    length = readlink(path, target, sizeof target);
    if (length < (ssize_t)sizeof prefix - 1 || memcmp(target, prefix, sizeof prefix - 1) != 0) return 0;
    *(int *)found = fd;
    return 1;
}

bool protected_find(void) {
    int memory = -1, event = -1;

    registry = parse(getenv(REGISTRY_ENV), &memory, &event) ? map(memory) : NULL;
    if (!registry && each_descriptor(has_registry_name, &memory) == 1) {
        registry = map(memory);
        event = memory - 1;
    }
    if (!registry) return false;
    view.first = registry;
    freezes = &registry->freezes;
    atomic_store(&memory_fd, memory);
    atomic_store(&event_fd, event);
    return true;
}

static bool is_free(int fd) { return libc.fcntl(fd, F_GETFD, NULL) < 0 && errno == EBADF; }

/*
 * Returns the higher of two free numbers side by side: the eventfd's is one less, as init chose them. -1: there are
 * none.
 */
static int free_pair(int below) {
    for (int fd = below - 1; fd > STDERR_FILENO; fd--)
        if (is_free(fd) && is_free(fd - 1)) return fd;
    return -1;
}

bool protected_move_away(int to) {
    int memory = atomic_load(&memory_fd), event = atomic_load(&event_fd);
    int error = errno;
    int pair = free_pair(memory < event ? memory : event);
    bool moved = pair > 0 && libc.dup3(memory, pair, 0) == pair && libc.dup3(event, pair - 1, 0) == pair - 1;

    if (moved) {
        atomic_store(&memory_fd, pair);
        atomic_store(&event_fd, pair - 1);
        libc.close(to == memory ? event : memory);
    }
    errno = error;
    return moved;
}

/* EAGAIN, the counter being full, is as good: the supervisor will look. */
void notify(void) {
    static const uint64_t one = 1;
    int error = errno;

    syscall(SYS_write, atomic_load(&event_fd), &one, sizeof one);
    errno = error;
}
