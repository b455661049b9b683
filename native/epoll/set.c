#include "epoll/set.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "kernel/process.h"

/* Not below `number`. */
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
    /* Those cannot be modified (do_epoll_ctl). */
    int result = control(set, EPOLL_CTL_DEL, item, 0);

    return result ? result : control(set, EPOLL_CTL_ADD, item, events);
}

/* With what the process has at this descriptor as the item's file. -ENOENT: it is another one, which may be one that no set
 * can have (-EPERM), or the set itself (-EINVAL). */
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
