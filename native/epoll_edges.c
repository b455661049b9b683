#include "epoll_edges.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "epoll_items.h"
#include "process.h"

enum { STACK_SIZE = 64 << 10 };

#define ANYTHING (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP)
#define ROOM (EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND)
/* EP_PRIVATE_BITS in fs/eventpoll.c: what is left of a one-shot item that has been told of. */
#define PRIVATE (EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE)

struct job {
    struct epoll_place place;
    int pidfd, set;
    struct epoll_item *items;
    size_t count;
    const struct epoll_still *still;
    bool is_restored;
    int (*work)(struct job *job);
    int result;
    /* Of each item: */
    struct epoll_note *notes;
    struct pollfd *polls;
    /* Room for what there is to tell. */
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

        if (job->items[middle].data < data) low = middle + 1;
        else high = middle;
    }
    while (high < job->count && job->items[high].data == data) high++;
    return (struct group){low, high};
}

/* A level-triggered item is told of as long as it has something to tell, whoever has been told. */
static bool is_level(const struct epoll_item *item) {
    return !(item->events & (EPOLLET | EPOLLONESHOT));
}

static bool is_disarmed(const struct epoll_item *item) {
    return (item->events & EPOLLONESHOT) && !(item->events & ~PRIVATE);
}

/* As seen with the descriptor table of the task, in which the item's file has its number. */
static int control(const struct job *job, int operation, const struct epoll_item *item, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u64 = item->data};

    return epoll_ctl(job->set, operation, item->fd, &event) ? -errno : 0;
}

static int modify(const struct job *job, const struct epoll_item *item, uint32_t events) {
    if (!(item->events & EPOLLEXCLUSIVE)) return control(job, EPOLL_CTL_MOD, item, events);
    /* Those cannot be modified (do_epoll_ctl). */
    int result = control(job, EPOLL_CTL_DEL, item, 0);

    return result ? result : control(job, EPOLL_CTL_ADD, item, events);
}

/* With what the process has at this descriptor as the item's file. -ENOENT: it is another one, which may be one that no set
 * can have (-EPERM), or the set itself (-EINVAL). */
static int modify_as(const struct job *job, int descriptor, const struct epoll_item *item, uint32_t events) {
    int own = process_take_fd(job->pidfd, descriptor), result = 0;

    if (own < 0) return -ENOENT;
    if (own != item->fd) {
        result = dup2(own, item->fd) < 0 ? -errno : 0;
        close(own);
    }
    if (!result) result = modify(job, item, events);
    return result == -EPERM || result == -EINVAL ? -ENOENT : result;
}

/* Out of the way of the items' numbers: not below `number`. */
static int move_above(int *fd, int number) {
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, number);

    if (moved < 0) return -errno;
    close(*fd);
    *fd = moved;
    return 0;
}

/* A file that was closed at the number that its item has, and is open at another one, stays in the set (epoll(7)). */
static int modify_moved(const struct job *job, const struct epoll_item *item, uint32_t events) {
    char path[32];
    int result = -ENOENT, fd;
    DIR *folder;

    snprintf(path, sizeof path, "/proc/%d/fd", (int)job->place.pid);
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    folder = fd >= 0 && !move_above(&fd, job->set) ? fdopendir(fd) : NULL;
    if (!folder) return -ESTALE;
    for (struct dirent *entry; result == -ENOENT && (entry = readdir(folder));)
        if (entry->d_name[0] != '.') result = modify_as(job, atoi(entry->d_name), item, events);
    closedir(folder);
    return result == -ENOENT ? -ESTALE : result;
}

static int modify_item(const struct job *job, const struct epoll_item *item, uint32_t events) {
    int result = modify_as(job, item->fd, item, events);

    return result == -ENOENT ? modify_moved(job, item, events) : result;
}

/* As they were, and what they have to tell is told anew; all of them, whatever becomes of one. */
static int put_back(const struct job *job, struct group group) {
    int result = 0;

    for (size_t i = group.first; i < group.end; i++) {
        const struct epoll_item *item = &job->items[i];
        int done = is_level(item) || job->notes[i].is_disarmed ? 0 : modify_item(job, item, item->events);

        if (!result) result = done;
    }
    return result;
}

/* A call gives all that there is to tell, each once: ep_send_events() goes through the ready list as it finds it. */
static int take_told(const struct job *job) {
    int result = epoll_wait(job->set, job->events, (int)job->count, 0);

    return result < 0 ? -errno : result;
}

static int compare_inodes(const void *a, const void *b) {
    uint32_t one = *(const uint32_t *)a, other = *(const uint32_t *)b;

    return (one > other) - (one < other);
}

static bool is_eventfd(const struct job *job, const struct epoll_item *item) {
    static const char name[] = "anon_inode:[eventfd]";
    char path[48], target[sizeof name];

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)job->place.pid, item->fd);
    return readlink(path, target, sizeof target) == sizeof name - 1 && memcmp(target, name, sizeof name - 1) == 0;
}

/* Sockets and anonymous files have inode numbers of one counter (get_next_ino() in fs/inode.c). */
static uint32_t still_of(const struct job *job, const struct epoll_item *item) {
    const struct epoll_still *still = job->still;

    if (!(item->events & EPOLLET) || (item->events & EPOLLONESHOT)) return 0;
    if (bsearch(&item->inode, still->inodes, still->count, sizeof item->inode, compare_inodes)) return INT16_MAX;
    if (!still->is_whole) return 0;
    return is_eventfd(job, item) ? INT16_MAX : ROOM;
}

/* What its file has now; our descriptors of all stay open until the task ends. */
static int poll_items(const struct job *job, bool (*is_wanted)(const struct job *job, size_t i), uint32_t also) {
    for (size_t i = 0; i < job->count; i++) {
        int own = is_wanted(job, i) ? process_take_fd(job->pidfd, job->items[i].fd) : -1;

        job->polls[i] = (struct pollfd){.fd = own, .events = (short)((job->items[i].events | also) & INT16_MAX)};
    }
    return poll(job->polls, job->count, 0) < 0 ? -errno : 0;
}

static bool may_be_still(const struct job *job, size_t i) {
    return job->notes[i].told != 0;
}

static int look(struct job *job) {
    int result, count;

    for (size_t i = 0; i < job->count; i++)
        job->notes[i] = (struct epoll_note){job->items[i].fd, still_of(job, &job->items[i]), is_disarmed(&job->items[i])};
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

static bool was_disarmed(const struct job *job, size_t i) {
    return job->notes[i].is_disarmed;
}

/* Has them told of what they have, which is taken then. */
static int disarm(const struct job *job) {
    int result = poll_items(job, was_disarmed, ANYTHING);

    for (size_t i = 0; !result && i < job->count; i++)
        if (job->notes[i].is_disarmed && job->polls[i].revents)
            result = modify_item(job, &job->items[i], (job->items[i].events & PRIVATE) | ANYTHING);
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

static int work_in_own_table(void *argument) {
    struct job *job = argument;
    int above = 0;

    for (size_t i = 0; i < job->count; i++)
        if (job->items[i].fd >= above) above = job->items[i].fd + 1;
    job->result = move_above(&job->set, above);
    if (!job->result) job->result = move_above(&job->pidfd, above);
    if (!job->result) job->result = job->work(job);
    return 0;
}

/* As vfork(2) does it, and with no signal at its end. */
static int run_in_own_table(struct job *job) {
    char *stack = malloc(STACK_SIZE);
    sigset_t all, before;
    pid_t task;

    if (!stack) return -ENOMEM;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    task = clone(work_in_own_table, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK, job);
    if (task < 0) job->result = -errno;
    else while (waitpid(task, NULL, __WALL) < 0 && errno == EINTR);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    free(stack);
    return job->result;
}

static int run_on_set(struct job job) {
    int pidfd = process_open(job.place.pid), set = pidfd < 0 ? pidfd : process_take_fd(pidfd, job.place.fd);
    int result = set;

    if (set >= 0) {
        /* The task writes the numbers of its own table over these. */
        job.pidfd = pidfd;
        job.set = set;
        result = run_in_own_table(&job);
        close(set);
    }
    if (pidfd >= 0) close(pidfd);
    return result;
}

static int run(struct job job) {
    int result = -ENOMEM;

    job.polls = calloc(job.count, sizeof(*job.polls));
    job.events = calloc(job.count, sizeof(*job.events));
    if (job.polls && job.events) result = run_on_set(job);
    free(job.polls);
    free(job.events);
    return result;
}

static int compare_notes(const void *a, const void *b) {
    return ((const struct epoll_note *)a)->fd - ((const struct epoll_note *)b)->fd;
}

/* Two items of one number are of two files, and cannot be told apart by it. */
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

int epoll_edges_look(struct epoll_place place, const struct epoll_still *still, struct epoll_note **notes, size_t *count) {
    struct epoll_item *items;
    size_t item_count;
    int result = epoll_items_read(place.pid, place.fd, &items, &item_count);

    *notes = NULL;
    *count = 0;
    if (result || !matters(items, item_count)) goto out;
    *notes = calloc(item_count, sizeof(**notes));
    if (!*notes) result = -ENOMEM;
    else if (are_distinct(items, *notes, item_count))
        result = run((struct job){.place = place, .items = items, .count = item_count, .still = still, .work = look, .notes = *notes});
    else
        item_count = 0;
    *count = result ? 0 : keep_telling(*notes, item_count);
out:
    free(items);
    return result;
}

int epoll_edges_settle(struct epoll_place place, struct epoll_note *notes, size_t count, bool is_restored) {
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
        const struct epoll_note key = {.fd = items[i].fd}, *note = bsearch(&key, notes, count, sizeof(*notes), compare_notes);

        all[i] = note ? *note : key;
    }
    result = run((struct job){.place = place, .items = items, .count = item_count, .is_restored = is_restored, .work = settle, .notes = all});
out:
    free(all);
    free(items);
    return result;
}
