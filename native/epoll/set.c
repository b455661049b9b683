#include "epoll/set.h"

#include "kernel/array.h"
#include "kernel/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static int compare_data(const void *a, const void *b) {
    uint64_t one = ((const struct epoll_item *)a)->data, other = ((const struct epoll_item *)b)->data;

    return (one > other) - (one < other);
}

static int append(struct epoll_item **items, size_t *count, struct epoll_item item) {
    struct epoll_item *larger = array_grow(*items, *count, sizeof *larger);

    if (!larger) return -ENOMEM;
    *items = larger;
    (*items)[(*count)++] = item;
    return 0;
}

/* Reads the number behind a label; false where that is not there. sscanf(3) would take most of the time. */
static bool read_number(const char **at, const char *label, int base, uint64_t *value) {
    size_t length = strlen(label);
    char *end;

    *at += strspn(*at, " \t");
    if (strncmp(*at, label, length) != 0) return false;
    *value = strtoull(*at + length, &end, base);
    *at = end;
    return true;
}

static bool read_item(const char *line, struct epoll_item *item) {
    uint64_t fd, events, position, inode;

    if (!read_number(&line, "tfd:", 10, &fd) || !read_number(&line, "events:", 16, &events) ||
        !read_number(&line, "data:", 16, &item->data) || !read_number(&line, "pos:", 10, &position) ||
        !read_number(&line, "ino:", 16, &inode))
        return false;
    item->fd = (int)fd;
    item->events = (uint32_t)events;
    item->inode = (uint32_t)inode;
    return true;
}

int epoll_items_read(pid_t pid, int fd, struct epoll_item **items, size_t *count) {
    char path[48], line[192];
    int result = 0;
    FILE *info;

    *items = NULL;
    *count = 0;
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, fd);
    info = fopen(path, "re");
    if (!info) return -errno;
    while (!result && fgets(line, sizeof line, info)) {
        struct epoll_item item;

        if (read_item(line, &item)) result = append(items, count, item);
    }
    /* The process is ending: what is missing is nobody's any more. */
    if (!result && ferror(info)) result = -ENOENT;
    fclose(info);
    if (result) {
        free(*items);
        *items = NULL;
        *count = 0;
    } else if (*count) {
        qsort(*items, *count, sizeof(**items), compare_data);
    }
    return result;
}

/* Moves a descriptor to a number that is not below this one. */
static int move_above(int *fd, int number) {
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, number);

    if (moved < 0) return -errno;
    close(*fd);
    *fd = moved;
    return 0;
}

int epoll_set_make_room(struct epoll_set *set, const struct epoll_item *items, size_t count) {
    int above = 0, result;

    for (size_t i = 0; i < count; i++)
        if (items[i].fd >= above) above = items[i].fd + 1;
    result = move_above(&set->fd, above);
    return result ? result : move_above(&set->pidfd, above);
}

static int control(const struct epoll_set *set, int operation, const struct epoll_item *item, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u64 = item->data};

    return epoll_ctl(set->fd, operation, item->fd, &event) ? -errno : 0;
}

static int modify(const struct epoll_set *set, const struct epoll_item *item, uint32_t events) {
    if (!(item->events & EPOLLEXCLUSIVE)) return control(set, EPOLL_CTL_MOD, item, events);
    /* An item with EPOLLEXCLUSIVE cannot be modified (do_epoll_ctl). */
    int result = control(set, EPOLL_CTL_DEL, item, 0);

    return result ? result : control(set, EPOLL_CTL_ADD, item, events);
}

/*
 * Modifies it with what the process has at this descriptor as its file. -ENOENT: that is another file, which may be one
 * that no set can have (-EPERM), or the set itself (-EINVAL).
 */
static int modify_as(const struct epoll_set *set, int descriptor, const struct epoll_item *item, uint32_t events) {
    int own = process_take_fd(set->pidfd, descriptor), result = 0;

    if (own < 0) return -ENOENT;
    if (own != item->fd) {
        result = dup2(own, item->fd) < 0 ? -errno : 0;
        close(own);
    }
    if (!result) result = modify(set, item, events);
    return result == -EPERM || result == -EINVAL ? -ENOENT : result;
}

/* A file that was closed at the number that its item has, and is open at another one, stays in the set (epoll(7)). */
static int modify_moved(const struct epoll_set *set, const struct epoll_item *item, uint32_t events) {
    char path[32];
    int result = -ENOENT, fd;
    DIR *folder;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)set->pid);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    folder = fd >= 0 && !move_above(&fd, set->fd) ? fdopendir(fd) : NULL;
    if (!folder) return -ESTALE;
    for (struct dirent *entry; result == -ENOENT && (entry = readdir(folder));)
        if (entry->d_name[0] != '.') result = modify_as(set, atoi(entry->d_name), item, events);
    closedir(folder);
    return result == -ENOENT ? -ESTALE : result;
}

int epoll_set_modify(const struct epoll_set *set, const struct epoll_item *item, uint32_t events) {
    int result = modify_as(set, item->fd, item, events);

    return result == -ENOENT ? modify_moved(set, item, events) : result;
}
