#include "epoll/edges.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "epoll/set.h"
#include "kernel/array.h"
#include "kernel/process.h"

#define ANYTHING (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP)
#define ROOM (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)
/* What is left of a one-shot item's events when the program was told of it (EP_PRIVATE_BITS in fs/eventpoll.c). */
#define PRIVATE (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

struct job {
    struct epoll_set set;
    struct epoll_item *items;
    size_t count;
    const struct epoll_still *still;
    bool is_restored;
    int (*work)(struct job *job);
    /* One for each item. */
    struct epoll_note *notes;
    struct pollfd *polls;
    /* Room for what the set has to tell. */
    struct epoll_event *events;
};

/* Items that epoll_wait(2) does not tell apart: from first to end. */
struct group {
    size_t first, end;
};

static struct group group_of(const struct job *job, uint64_t data) {
    size_t low = 0, high = job->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (job->items[middle].data < data)
            low = middle + 1;
        else
            high = middle;
    }
    while (high < job->count && job->items[high].data == data) high++;
    return (struct group){low, high};
}

/* A level-triggered item is told of as long as it has something to tell, whoever has been told. */
static bool is_level(const struct epoll_item *item) { return !(item->events & (EPOLLET | EPOLLONESHOT)); }

static bool is_disarmed(const struct epoll_item *item) {
    return (item->events & EPOLLONESHOT) && !(item->events & ~PRIVATE);
}

/* Puts items back as they were, so that what they have to tell is told anew; all of them, whatever becomes of one. */
static int put_back(const struct job *job, struct group group) {
    int result = 0;

    for (size_t i = group.first; i < group.end; i++) {
        const struct epoll_item *item = &job->items[i];
        int done = is_level(item) || job->notes[i].is_disarmed ? 0 : epoll_set_modify(&job->set, item, item->events);

        if (!result) result = done;
    }
    return result;
}

/*
 * Takes all that the set has to tell: one call gives each once, for ep_send_events() goes through the ready list as it
 * is.
 */
static int take_told(const struct job *job) {
    int result = epoll_wait(job->set.fd, job->events, (int)job->count, 0);

    return result < 0 ? -errno : result;
}

static bool is_eventfd(const struct job *job, const struct epoll_item *item) {
    static const char name[] = "anon_inode:[eventfd]";
    char path[48], target[sizeof name];

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)job->set.pid, item->fd);
    return readlink(path, target, sizeof target) == sizeof name - 1 && memcmp(target, name, sizeof name - 1) == 0;
}

/*
 * Which events of an item may stay silent. Sockets and anonymous files have inode numbers of one counter
 * (get_next_ino() in fs/inode.c).
 */
static uint32_t still_of(const struct job *job, const struct epoll_item *item) {
    const struct epoll_still *still = job->still;

    if (!(item->events & EPOLLET) || (item->events & EPOLLONESHOT)) return 0;
    if (bsearch(&item->inode, still->inodes, still->count, sizeof item->inode, array_compare32)) return INT16_MAX;
    if (!still->is_whole) return 0;
    return is_eventfd(job, item) ? INT16_MAX : ROOM;
}

/* Asks poll(2) what the items' files have now. Our descriptors of all of them stay open until the task ends. */
static int poll_items(const struct job *job, bool (*is_wanted)(const struct job *job, size_t i), uint32_t also) {
    for (size_t i = 0; i < job->count; i++) {
        int own = is_wanted(job, i) ? process_take_fd(job->set.pidfd, job->items[i].fd) : -1;

        job->polls[i] = (struct pollfd){.fd = own, .events = (short)((job->items[i].events | also) & INT16_MAX)};
    }
    return poll(job->polls, job->count, 0) < 0 ? -errno : 0;
}

static bool may_be_still(const struct job *job, size_t i) { return job->notes[i].told != 0; }

static int look(struct job *job) {
    int result, count;

    for (size_t i = 0; i < job->count; i++)
        job->notes[i] =
            (struct epoll_note){job->items[i].fd, still_of(job, &job->items[i]), is_disarmed(&job->items[i])};
    result = poll_items(job, may_be_still, 0);
    count = result ? result : take_told(job);
    if (count < 0) return count;
    for (size_t i = 0; i < job->count; i++) job->notes[i].told &= (uint32_t)job->polls[i].revents;
    for (int k = 0; k < count; k++) {
        struct group group = group_of(job, job->events[k].data.u64);
        int done = put_back(job, group);

        for (size_t i = group.first; i < group.end; i++) job->notes[i].told = 0;
        if (!result) result = done;
    }
    return result;
}

static bool was_disarmed(const struct job *job, size_t i) { return job->notes[i].is_disarmed; }

/* Has the items tell what they have, and takes it. */
static int disarm(const struct job *job) {
    int result = poll_items(job, was_disarmed, ANYTHING);

    for (size_t i = 0; !result && i < job->count; i++)
        if (job->notes[i].is_disarmed && job->polls[i].revents)
            result = epoll_set_modify(&job->set, &job->items[i], (job->items[i].events & PRIVATE) | ANYTHING);
    return result;
}

static bool is_old(const struct job *job, struct group group, uint32_t events) {
    for (size_t i = group.first; i < group.end; i++)
        if (events & ~job->notes[i].told) return false;
    return true;
}

static int settle(struct job *job) {
    int result = job->is_restored ? disarm(job) : 0, count = result ? result : take_told(job);

    if (count < 0) return count;
    for (int k = 0; k < count; k++) {
        struct group group = group_of(job, job->events[k].data.u64);
        int done = is_old(job, group, job->events[k].events) ? 0 : put_back(job, group);

        if (!result) result = done;
    }
    return result;
}

static int work_on_set(void *argument) {
    struct job *job = argument;
    int result = epoll_set_make_room(&job->set, job->items, job->count);

    return result ? result : job->work(job);
}

static int run_on_set(struct job job, struct epoll_place place) {
    int pidfd = process_open(place.pid), fd = pidfd < 0 ? pidfd : process_take_fd(pidfd, place.fd);
    int result = fd;

    if (fd >= 0) {
        /* The task changes these to the numbers of its own table. */
        job.set = (struct epoll_set){place.pid, pidfd, fd};
        result = process_run_with_own_descriptors(work_on_set, &job);
        close(fd);
    }
    if (pidfd >= 0) close(pidfd);
    return result;
}

static int run(struct job job, struct epoll_place place) {
    int result = -ENOMEM;

    job.polls = calloc(job.count, sizeof(*job.polls));
    job.events = calloc(job.count, sizeof(*job.events));
    if (job.polls && job.events) result = run_on_set(job, place);
    free(job.polls);
    free(job.events);
    return result;
}

static int compare_notes(const void *a, const void *b) {
    return ((const struct epoll_note *)a)->fd - ((const struct epoll_note *)b)->fd;
}

/*
 * Whether a number is that of one item only: two items of one number are of two files, and it does not tell them apart.
 */
static bool are_distinct(const struct epoll_item *items, struct epoll_note *room, size_t count) {
    for (size_t i = 0; i < count; i++) room[i].fd = items[i].fd;
    qsort(room, count, sizeof(*room), compare_notes);
    for (size_t i = 1; i < count; i++)
        if (room[i].fd == room[i - 1].fd) return false;
    return true;
}

static bool matters(const struct epoll_item *items, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!is_level(&items[i])) return true;
    return false;
}

static size_t keep_telling(struct epoll_note *notes, size_t count) {
    size_t kept = 0;

    for (size_t i = 0; i < count; i++)
        if (notes[i].told || notes[i].is_disarmed) notes[kept++] = notes[i];
    return kept;
}

int epoll_look(struct epoll_place place, const struct epoll_still *still, struct epoll_note **notes, size_t *count) {
    struct epoll_item *items;
    size_t item_count;
    int result = epoll_items_read(place.pid, place.fd, &items, &item_count);

    *notes = NULL;
    *count = 0;
    if (result || !matters(items, item_count)) goto out;
    *notes = calloc(item_count, sizeof(**notes));
    if (!*notes)
        result = -ENOMEM;
    else if (are_distinct(items, *notes, item_count))
        result = run((struct job){.items = items, .count = item_count, .still = still, .work = look, .notes = *notes},
                     place);
    else
        item_count = 0;
    *count = result ? 0 : keep_telling(*notes, item_count);
out:
    free(items);
    return result;
}

int epoll_settle(struct epoll_place place, struct epoll_note *notes, size_t count, bool is_restored) {
    struct epoll_item *items;
    struct epoll_note *all = NULL;
    size_t item_count;
    int result = epoll_items_read(place.pid, place.fd, &items, &item_count);

    if (result || !item_count) goto out;
    all = calloc(item_count, sizeof(*all));
    result = all ? 0 : -ENOMEM;
    if (result || !are_distinct(items, all, item_count)) goto out;
    qsort(notes, count, sizeof(*notes), compare_notes);
    for (size_t i = 0; i < item_count; i++) {
        const struct epoll_note key = {.fd = items[i].fd},
                                *note = bsearch(&key, notes, count, sizeof(*notes), compare_notes);

        all[i] = note ? *note : key;
    }
    result =
        run((struct job){.items = items, .count = item_count, .is_restored = is_restored, .work = settle, .notes = all},
            place);
out:
    free(all);
    free(items);
    return result;
}
