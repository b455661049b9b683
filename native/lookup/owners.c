#include "lookup/owners.h"

#include "kernel/array.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct search {
    /* Ascending; NULL: all are sought. */
    uint32_t *inodes;
    size_t inode_count;
    struct owner *found;
    size_t count;
};

static int append(struct search *search, struct owner owner) {
    struct owner *larger = array_grow(search->found, search->count, sizeof *larger);

    if (!larger) return -ENOMEM;
    search->found = larger;
    search->found[search->count++] = owner;
    return 0;
}

/* What /proc/<pid>/fd/<n> links to: a socket ("socket:[123]"), or an epoll set, which has no inode of its own. */
static bool is_sought(int folder, const char *name, uint32_t *inode) {
    static const char socket[] = "socket:[", set[] = "anon_inode:[eventpoll]";
    char target[64];
    ssize_t length = readlinkat(folder, name, target, sizeof target - 1);

    if (length < 0) return false;
    target[length] = '\0';
    *inode = OWNER_OF_EPOLL;
    if (strcmp(target, set) == 0) return true;
    if (strncmp(target, socket, sizeof socket - 1) != 0) return false;
    *inode = (uint32_t)strtoul(target + sizeof socket - 1, NULL, 10);
    return true;
}

static int search_process(struct search *search, int proc, const char *pid) {
    char path[32];
    int result = 0;

    snprintf(path, sizeof path, "%.10s/fd", pid);
    int folder = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return 0;
    DIR *entries = fdopendir(folder);
    if (!entries) {
        /* fdopendir(3) looks at the folder first, which is gone where the process ended just now (proc_fd_getattr). */
        result = errno == ENOMEM ? -ENOMEM : 0;
        close(folder);
        return result;
    }
    for (struct dirent *entry; result == 0 && (entry = readdir(entries));) {
        uint32_t inode;
        if (entry->d_name[0] == '.' || !is_sought(folder, entry->d_name, &inode)) continue;
        if (search->inodes && !bsearch(&inode, search->inodes, search->inode_count, sizeof inode, array_compare32))
            continue;
        result = append(search, (struct owner){.inode = inode, .pid = atoi(pid), .fd = atoi(entry->d_name)});
    }
    closedir(entries);
    return result;
}

static int search_all(struct search *search, DIR *proc) {
    int result = 0;

    for (struct dirent *entry; result == 0 && (entry = readdir(proc));) {
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9') continue;
        result = search_process(search, dirfd(proc), entry->d_name);
    }
    return result;
}

static int search_some(struct search *search, DIR *proc, const pid_t *pids, size_t count) {
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", (int)pids[i]);
        result = search_process(search, dirfd(proc), name);
    }
    return result;
}

bool owner_is(const struct owner *owner) {
    char path[32];
    uint32_t inode;

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)owner->pid, owner->fd);
    return is_sought(AT_FDCWD, path, &inode) && inode == owner->inode;
}

int owners_find(const uint32_t *inodes, size_t inode_count, const pid_t *pids, size_t pid_count, struct owner **owners,
                size_t *count) {
    struct search search = {.inode_count = inode_count};
    DIR *proc = opendir("/proc");
    int result = proc ? 0 : -errno;

    if (inodes) search.inodes = array_sorted(inodes, inode_count, sizeof *inodes, array_compare32);
    if (inodes && !search.inodes) result = -ENOMEM;
    if (result == 0) result = pids ? search_some(&search, proc, pids, pid_count) : search_all(&search, proc);
    if (proc) closedir(proc);
    free(search.inodes);
    if (result < 0) {
        free(search.found);
        return result;
    }
    *owners = search.found;
    *count = search.count;
    return 0;
}
