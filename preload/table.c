/*
 * This process's descriptors: one word each.
 *
 *   entry = generation << 24 | flags | (slot + 1)
 *
 * The table is private memory, so a fork copies it; an exec starts with an empty one and start.c fills it from
 * /proc/self/fd. What most processes never need of it is mapped when it is needed.
 */
#include <sys/mman.h>
#include <sys/stat.h>

#include "descriptors.h"
#include "shim.h"

#define SLOT UINT64_C(0x1fffff)
/* The exec under way has given the reference back. */
#define DETACHED UINT64_C(0x200000)
/* The last fork took a reference for its child. */
#define FOR_CHILD UINT64_C(0x400000)
#define FLAGS (DETACHED | FOR_CHILD)

_Static_assert(REGISTRY_SLOTS <= SLOT, "a slot's number, and one, fits");

/* Of the lowest descriptors, which the kernel gives first. */
#define FIRST_SIZE (1 << 16)

static _Atomic uint64_t first[FIRST_SIZE];
static _Atomic uint64_t *_Atomic others;
static _Atomic int highest = -1;

static bool in_table(int fd) { return registry && fd >= 0 && fd < TABLE_SIZE; }

/* NULL: nothing was entered yet that high. */
static _Atomic uint64_t *entry_at(int fd) {
    _Atomic uint64_t *rest;

    if (!in_table(fd)) return NULL;
    if (fd < FIRST_SIZE) return &first[fd];
    rest = atomic_load(&others);
    return rest ? &rest[fd - FIRST_SIZE] : NULL;
}

static void map_others(void) {
    const size_t size = (TABLE_SIZE - FIRST_SIZE) * sizeof *first;
    _Atomic uint64_t *none = NULL;
    int error = errno;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory != MAP_FAILED && !atomic_compare_exchange_strong(&others, &none, memory)) munmap(memory, size);
    errno = error;
}

static uint64_t load(int fd) {
    _Atomic uint64_t *at = entry_at(fd);

    return at ? atomic_load(at) : 0;
}

static bool exchange(int fd, uint64_t *expected, uint64_t entry) {
    _Atomic uint64_t *at = entry_at(fd);

    return at && atomic_compare_exchange_strong(at, expected, entry);
}

static uint32_t slot_of(uint64_t entry) { return (uint32_t)(entry & SLOT) - 1; }

static uint64_t generation_of(uint64_t entry) { return entry >> 24; }

static uint64_t entry_of(uint32_t slot, uint64_t generation) { return generation << 24 | (slot + 1); }

/* Whatever was there is stale: its close went past us. Without memory for it the descriptor stays unknown. */
static void enter(int fd, uint64_t entry) {
    int high = atomic_load(&highest);
    _Atomic uint64_t *at = entry_at(fd);

    if (!at && entry) {
        map_others();
        at = entry_at(fd);
        if (!at) table_bury(entry);
    }
    if (!at) return;
    while (high < fd && !atomic_compare_exchange_weak(&highest, &high, fd))
        ;
    table_bury(atomic_exchange(at, entry));
}

/* 0: not a socket. */
static uint64_t socket_inode(int fd) {
    struct stat status;
    int error = errno;
    bool is_socket = fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);

    errno = error;
    return is_socket ? status.st_ino : 0;
}

void table_birth(int fd, int family, int type, int protocol, enum registry_state state) {
    uint64_t inode, generation;
    int32_t slot;

    if (!in_table(fd)) return;
    enter(fd, 0);
    inode = socket_inode(fd);
    if (!inode) return;
    slot = slot_birth(inode, family, type, protocol, &generation);
    if (slot < 0) return;
    atomic_store(&registry_record_at(&view, (uint32_t)slot)->state, state);
    enter(fd, entry_of((uint32_t)slot, generation));
}

static void introduce(int fd) {
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    enum registry_state state = REGISTRY_NEW;
    int error = errno;

    if (socket_option(fd, SO_ACCEPTCONN, 0))
        state = REGISTRY_LISTENING;
    else if (libc.getpeername(fd, (struct sockaddr *)&peer, &length) == 0)
        state = REGISTRY_CONNECTED;
    table_birth(fd, socket_option(fd, SO_DOMAIN, 0), socket_option(fd, SO_TYPE, 0), socket_option(fd, SO_PROTOCOL, 0),
                state);
    errno = error;
}

void table_arrival(int fd) {
    uint64_t inode, word;
    int32_t slot;

    if (!in_table(fd) || is_protected(fd)) return;
    enter(fd, 0);
    inode = socket_inode(fd);
    if (!inode) return;
    slots_reach();
    slot = registry_find(&view, inode);
    if (slot >= 0) {
        word = atomic_load(registry_word_at(&view, (uint32_t)slot));
        if (atomic_load(registry_inode_at(&view, (uint32_t)slot)) == inode &&
            slot_take((uint32_t)slot, registry_generation(word))) {
            enter(fd, entry_of((uint32_t)slot, registry_generation(word)));
            return;
        }
    }
    introduce(fd);
}

void table_copy(int from, int to) {
    uint64_t entry;

    if (!in_table(to)) return;
    entry = load(from) & ~FLAGS;
    if (entry && !slot_take(slot_of(entry), generation_of(entry))) entry = 0;
    enter(to, entry);
}

uint64_t table_remove(int fd) {
    _Atomic uint64_t *at = entry_at(fd);

    return at ? atomic_exchange(at, 0) : 0;
}

void table_bury(uint64_t entry) {
    uint32_t state;

    if (!entry || (entry & DETACHED)) return;
    state = atomic_load(&registry_record_at(&view, slot_of(entry))->state);
    if (slot_drop(slot_of(entry), generation_of(entry)) && state >= REGISTRY_LISTENING) notify();
}

void table_restore(int fd, uint64_t entry) {
    uint64_t none = 0;

    if (entry && !exchange(fd, &none, entry)) table_bury(entry);
}

void table_forget_range(unsigned int first, unsigned int last) {
    int high = atomic_load(&highest);

    for (unsigned int fd = first; high >= 0 && fd <= last && fd <= (unsigned int)high; fd++)
        table_bury(table_remove((int)fd));
}

struct registry_record *table_record(int fd) {
    uint64_t entry = load(fd);
    uint64_t word;

    if (!entry) return NULL;
    word = atomic_load(registry_word_at(&view, slot_of(entry)));
    return registry_generation(word) == generation_of(entry) ? registry_record_at(&view, slot_of(entry)) : NULL;
}

/* Before the fork, because the parent may close at once after it. A descriptor that another thread opens or closes just
 * now may be counted once too often; that a sweep puts right. */
void table_take_for_child(void) {
    int high = atomic_load(&highest);

    for (int fd = 0; fd <= high; fd++) {
        uint64_t entry = load(fd), now = entry;
        if (!entry || !slot_take(slot_of(entry), generation_of(entry))) continue;
        if (!exchange(fd, &now, entry | FOR_CHILD)) slot_drop(slot_of(entry), generation_of(entry));
    }
}

/* In the child: an entry without the mark was made between the taking and the fork. */
void table_child_born(void) {
    int high = atomic_load(&highest);

    for (int fd = 0; fd <= high; fd++) {
        uint64_t entry = load(fd);
        if (!entry) continue;
        if (!(entry & FOR_CHILD) && !slot_take(slot_of(entry), generation_of(entry))) entry = 0;
        atomic_store(entry_at(fd), entry & ~FLAGS);
    }
}

void table_child_failed(void) {
    int high = atomic_load(&highest);

    for (int fd = 0; fd <= high; fd++) {
        uint64_t entry = load(fd);
        if (!(entry & FOR_CHILD) || !exchange(fd, &entry, entry & ~FOR_CHILD)) continue;
        slot_drop(slot_of(entry), generation_of(entry));
    }
}

/* Gives every reference back; the entries stay, for table_attach, and for threads that close meanwhile. */
void table_detach(void) {
    int high = atomic_load(&highest);

    for (int fd = 0; fd <= high; fd++) {
        uint64_t entry = load(fd);
        if (!entry || (entry & DETACHED)) continue;
        if (!exchange(fd, &entry, entry | DETACHED)) continue;
        slot_drop(slot_of(entry), generation_of(entry));
    }
}

void table_attach(void) {
    int high = atomic_load(&highest);

    for (int fd = 0; fd <= high; fd++) {
        uint64_t entry = load(fd), now = entry;
        if (!(entry & DETACHED)) continue;
        uint64_t again = slot_take(slot_of(entry), generation_of(entry)) ? entry & ~FLAGS : 0;
        if (!again)
            table_arrival(fd);
        else if (!exchange(fd, &now, again))
            slot_drop(slot_of(again), generation_of(again));
    }
}
