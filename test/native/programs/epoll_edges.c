/* `list` prints the names of the cases, one a line; a name runs that case: 0 it passed, 1 it failed.
 *
 * The program that waits on the set is this process. `renewed` stands for what a move does to a set: every edge is a
 * fresh one. */
#include "epoll/edges.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define need(call) need_result((call), #call, __LINE__)
#define expect(condition) expect_that((condition), #condition, __LINE__)

enum { ITEMS = 8 };

struct item {
    int fd;
    uint32_t events;
    uint64_t data;
};

struct set {
    int fd;
    struct item items[ITEMS];
    size_t count;
    struct epoll_note *notes;
    size_t note_count;
};

static int need_result(int result, const char *call, int line) {
    if (result >= 0) return result;
    fprintf(stderr, "%d: %s: %s\n", line, call, strerror(errno));
    exit(1);
}

static void expect_that(bool is_so, const char *condition, int line) {
    if (is_so) return;
    fprintf(stderr, "%d: not so: %s\n", line, condition);
    exit(1);
}

static struct set set_make(void) { return (struct set){.fd = need(epoll_create1(EPOLL_CLOEXEC))}; }

static void control(const struct set *set, int operation, const struct item *item, uint32_t events) {
    struct epoll_event event = {.events = events, .data.u64 = item->data};

    need(epoll_ctl(set->fd, operation, item->fd, &event));
}

static void watch_as(struct set *set, int fd, uint32_t events, uint64_t data) {
    struct item item = {fd, events, data};

    control(set, EPOLL_CTL_ADD, &item, events);
    set->items[set->count++] = item;
}

static void watch(struct set *set, int fd, uint32_t events) { watch_as(set, fd, events, (uint64_t)fd); }

/* What the set tells of this item; it fails where the set tells of another one. 0: it tells nothing at all. */
static uint32_t told(const struct set *set, uint64_t data) {
    struct epoll_event events[ITEMS];
    int count = need(epoll_wait(set->fd, events, ITEMS, 0));

    expect(count <= 1);
    if (count == 0) return 0;
    expect(events[0].data.u64 == data);
    return events[0].events;
}

static void tells_all(const struct set *set) {
    struct epoll_event events[ITEMS];

    need(epoll_wait(set->fd, events, ITEMS, 0));
}

static uint32_t inode_of(int fd) {
    struct stat stat;

    need(fstat(fd, &stat));
    return (uint32_t)stat.st_ino;
}

static struct epoll_place place_of(const struct set *set) { return (struct epoll_place){getpid(), set->fd}; }

static int look_at(struct set *set, int still, bool is_whole) {
    uint32_t inode = still < 0 ? 0 : inode_of(still);
    struct epoll_still of = {&inode, still < 0 ? 0 : 1, is_whole};

    return epoll_look(place_of(set), &of, &set->notes, &set->note_count);
}

static void renew(const struct set *set) {
    for (size_t i = 0; i < set->count; i++) {
        control(set, EPOLL_CTL_DEL, &set->items[i], 0);
        control(set, EPOLL_CTL_ADD, &set->items[i], set->items[i].events);
    }
}

static int settle(struct set *set, bool is_restored) {
    return epoll_settle(place_of(set), set->notes, set->note_count, is_restored);
}

static void pair(int ends[2]) { need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends)); }

static void told_stays_silent(void) {
    struct set set = set_make();
    int ends[2];

    pair(ends);
    need((int)write(ends[1], "x", 1));
    watch(&set, ends[0], EPOLLIN | EPOLLOUT | EPOLLET);
    expect(told(&set, (uint64_t)ends[0]) == (EPOLLIN | EPOLLOUT));
    expect(!look_at(&set, ends[0], false) && set.note_count == 1);
    renew(&set);
    expect(!settle(&set, true));
    expect(!told(&set, 0));
    need((int)write(ends[1], "y", 1));
    expect(told(&set, (uint64_t)ends[0]) == (EPOLLIN | EPOLLOUT));
}

static void not_told_is_told(void) {
    struct set set = set_make();
    int ends[2];

    pair(ends);
    watch(&set, ends[0], EPOLLOUT | EPOLLET);
    expect(!look_at(&set, ends[0], false) && set.note_count == 0);
    renew(&set);
    expect(!settle(&set, true));
    expect(told(&set, (uint64_t)ends[0]) == EPOLLOUT);
}

static void new_is_told(void) {
    struct set set = set_make();
    int ends[2];

    pair(ends);
    watch(&set, ends[0], EPOLLIN | EPOLLOUT | EPOLLET);
    expect(told(&set, (uint64_t)ends[0]) == EPOLLOUT);
    expect(!look_at(&set, ends[0], false));
    need((int)write(ends[1], "x", 1));
    renew(&set);
    expect(!settle(&set, true));
    expect(told(&set, (uint64_t)ends[0]) == (EPOLLIN | EPOLLOUT));
}

/* A set tells of room that was not there: the kernel itself does not tell again whoever waits for it. */
static void new_room_is_told(void) {
    static char bytes[1 << 20];
    struct set set = set_make();
    int ends[2];

    pair(ends);
    need(fcntl(ends[0], F_SETFL, O_NONBLOCK));
    while (write(ends[0], bytes, sizeof bytes) > 0)
        ;
    watch(&set, ends[0], EPOLLOUT | EPOLLET);
    expect(!told(&set, 0));
    expect(!look_at(&set, ends[0], false));
    need(fcntl(ends[1], F_SETFL, O_NONBLOCK));
    while (read(ends[1], bytes, sizeof bytes) > 0)
        ;
    renew(&set);
    expect(!settle(&set, true));
    expect(told(&set, (uint64_t)ends[0]) == EPOLLOUT);
}

static void looking_takes_nothing(void) {
    static const uint32_t kinds[] = {
        0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT, EPOLLEXCLUSIVE, EPOLLET | EPOLLEXCLUSIVE};

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct set set = set_make();
        int ends[2], other[2];

        pair(ends);
        pair(other);
        watch(&set, ends[0], EPOLLOUT | kinds[i]);
        watch(&set, other[0], EPOLLIN | EPOLLET);
        expect(!look_at(&set, ends[0], true));
        expect(told(&set, (uint64_t)ends[0]) == EPOLLOUT);
        expect((told(&set, (uint64_t)ends[0]) == EPOLLOUT) == (kinds[i] == 0 || kinds[i] == EPOLLEXCLUSIVE));
        expect(!look_at(&set, ends[0], true));
        expect((told(&set, (uint64_t)ends[0]) == EPOLLOUT) == (kinds[i] == 0 || kinds[i] == EPOLLEXCLUSIVE));
    }
}

static void level_goes_on(void) {
    struct set set = set_make();
    int ends[2];

    pair(ends);
    watch(&set, ends[0], EPOLLOUT);
    watch(&set, ends[1], EPOLLIN | EPOLLET);
    expect(!look_at(&set, ends[1], true));
    renew(&set);
    expect(!settle(&set, true));
    expect(told(&set, (uint64_t)ends[0]) == EPOLLOUT);
    expect(told(&set, (uint64_t)ends[0]) == EPOLLOUT);
}

static void others_are_told_again(void) {
    struct set set = set_make();
    int ends[2];

    pair(ends);
    watch(&set, ends[0], EPOLLOUT | EPOLLET);
    watch(&set, ends[1], EPOLLIN | EPOLLET);
    expect(told(&set, (uint64_t)ends[0]) == EPOLLOUT);
    expect(!look_at(&set, ends[1], false));
    renew(&set);
    expect(!settle(&set, false));
    expect(told(&set, (uint64_t)ends[0]) == EPOLLOUT);
}

/* What only the program changes stays silent, eventfds and room; data does not, for it may be new. */
static void whole_programs(void) {
    struct itimerspec soon = {.it_value.tv_nsec = 1};
    struct set set = set_make();
    int ends[2], counter = need(eventfd(1, 0)), timer = need(timerfd_create(CLOCK_MONOTONIC, 0));

    pair(ends);
    need((int)write(ends[1], "x", 1));
    need(timerfd_settime(timer, 0, &soon, NULL));
    struct epoll_event event;
    watch(&set, timer, EPOLLIN | EPOLLET);
    need(epoll_wait(set.fd, &event, 1, -1));
    watch(&set, counter, EPOLLIN | EPOLLET);
    watch(&set, ends[1], EPOLLOUT | EPOLLET);
    tells_all(&set);
    expect(!look_at(&set, -1, true));
    renew(&set);
    expect(!settle(&set, true));
    expect(told(&set, (uint64_t)timer) == EPOLLIN);

    watch(&set, ends[0], EPOLLIN | EPOLLET);
    tells_all(&set);
    expect(!look_at(&set, -1, true));
    renew(&set);
    control(&set, EPOLL_CTL_DEL, &set.items[0], 0);
    expect(!settle(&set, true));
    expect(told(&set, (uint64_t)ends[0]) == EPOLLIN);
}

/* Nobody can tell these items apart: if one of them has anything new, so have all. */
static void one_data_for_all(void) {
    struct set set = set_make();
    int ends[2], other[2];

    pair(ends);
    pair(other);
    watch_as(&set, ends[0], EPOLLIN | EPOLLOUT | EPOLLET, 7);
    watch_as(&set, other[0], EPOLLIN | EPOLLOUT | EPOLLET, 7);
    tells_all(&set);
    expect(!look_at(&set, -1, true) && set.note_count == 2);
    renew(&set);
    expect(!settle(&set, true));
    expect(!told(&set, 0));
    expect(!look_at(&set, -1, true));
    need((int)write(other[1], "x", 1));
    renew(&set);
    expect(!settle(&set, true));
    struct epoll_event events[ITEMS];
    expect(need(epoll_wait(set.fd, events, ITEMS, 0)) >= 1);
    expect((events[0].events | events[1].events) & EPOLLIN);
}

/* The item's file is open at another number, and another file at its number. */
static void number_of_another_file(void) {
    struct set set = set_make();
    int ends[2], moved;

    pair(ends);
    watch_as(&set, ends[0], EPOLLOUT | EPOLLET, 1);
    moved = need(dup(ends[0]));
    need(dup2(ends[1], ends[0]));
    expect(!look_at(&set, moved, false));
    expect(told(&set, 1) == EPOLLOUT);
    expect(!told(&set, 0));
}

static void two_of_one_number(void) {
    struct set set = set_make();
    int ends[2];

    pair(ends);
    watch_as(&set, ends[0], EPOLLOUT | EPOLLET, 1);
    need(dup(ends[0]));
    need(dup2(ends[1], ends[0]));
    watch_as(&set, ends[0], EPOLLOUT | EPOLLET, 2);
    expect(!look_at(&set, ends[0], true) && set.note_count == 0);
    struct epoll_event events[ITEMS];
    expect(need(epoll_wait(set.fd, events, ITEMS, 0)) == 2);
}

/* The set is a new one, as CRIU makes it: the item is added with what is left of its events. */
static void disarmed_stays_disarmed(void) {
    struct set set = set_make();
    int ends[2];

    pair(ends);
    watch(&set, ends[0], EPOLLOUT | EPOLLONESHOT);
    expect(told(&set, (uint64_t)ends[0]) == EPOLLOUT);
    expect(!look_at(&set, -1, true) && set.note_count == 1 && set.notes[0].is_disarmed);
    set.items[0].events = EPOLLONESHOT;
    renew(&set);
    expect(!settle(&set, true));
    need(close(ends[1]));
    expect(!told(&set, 0));
    control(&set, EPOLL_CTL_MOD, &set.items[0], EPOLLOUT | EPOLLONESHOT);
    expect(told(&set, (uint64_t)ends[0]) & EPOLLHUP);
}

static void armed_stays_armed(void) {
    struct set set = set_make();
    int ends[2];

    pair(ends);
    watch(&set, ends[0], EPOLLIN | EPOLLONESHOT);
    expect(!look_at(&set, ends[0], true));
    renew(&set);
    expect(!settle(&set, true));
    expect(!told(&set, 0));
    need((int)write(ends[1], "x", 1));
    expect(told(&set, (uint64_t)ends[0]) == EPOLLIN);
}

static void who_is_gone(void) {
    struct set set = set_make();
    pid_t child = fork();

    if (child == 0) _exit(0);
    need(waitpid(child, NULL, 0));
    struct epoll_still still = {0};
    expect(epoll_look((struct epoll_place){child, set.fd}, &still, &set.notes, &set.note_count) == -ENOENT);
    expect(epoll_look((struct epoll_place){getpid(), 900}, &still, &set.notes, &set.note_count) == -ENOENT);
    expect(!epoll_look((struct epoll_place){getpid(), 0}, &still, &set.notes, &set.note_count) && set.note_count == 0);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"what was told stays silent", told_stays_silent},
    {"what was not told is told", not_told_is_told},
    {"what is new is told", new_is_told},
    {"new room is told", new_room_is_told},
    {"looking takes nothing, of whatever kind the item is", looking_takes_nothing},
    {"a level-triggered item goes on telling", level_goes_on},
    {"files that others change are told of again", others_are_told_again},
    {"of a whole program its eventfds and its room stay silent", whole_programs},
    {"items with the same data", one_data_for_all},
    {"an item whose number is another file's by now", number_of_another_file},
    {"two items of one number", two_of_one_number},
    {"a one-shot item that was told of stays disarmed", disarmed_stays_disarmed},
    {"a one-shot item that was not told of stays armed", armed_stays_armed},
    {"a process, a descriptor, a set that is not there", who_is_gone},
};

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (strcmp(argv[1], "list") == 0)
            puts(cases[i].name);
        else if (strcmp(argv[1], cases[i].name) == 0) {
            cases[i].run();
            return 0;
        }
    }
    return strcmp(argv[1], "list") == 0 ? 0 : 2;
}
