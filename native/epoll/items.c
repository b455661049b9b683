#include "epoll/items.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare_data(const void *a, const void *b) {
    uint64_t one = ((const struct epoll_item *)a)->data, other = ((const struct epoll_item *)b)->data;

    return (one > other) - (one < other);
}

static int append(struct epoll_item **items, size_t *count, struct epoll_item item) {
    /* At powers of two. */
    if ((*count & (*count - 1)) == 0) {
        struct epoll_item *larger = realloc(*items, (*count ? 2 * *count : 1) * sizeof(*larger));

        if (!larger) return -ENOMEM;
        *items = larger;
    }
    (*items)[(*count)++] = item;
    return 0;
}

/* The number behind a label; false: it is not there. sscanf(3) would take most of the time. */
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
    /* The process ends: what is missing is nobody's any more. */
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
