#include "table.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "descriptors.h"
#include "protected.h"
#include "shim.h"
#include "slots.h"

#define SLOT UINT64_C(0x1fffff)
/* The exec under way has given the reference back. */
#define DETACHED UINT64_C(0x200000)
/* The last fork took a reference for its child. */
#define FOR_CHILD UINT64_C(0x400000)
#define FLAGS (DETACHED | FOR_CHILD)

_Static_assert(REGISTRY_SLOTS <= SLOT, "a slot's number, and one, fits");

/*
 * The kernel gives the lowest descriptors first. What most processes never need of the table is mapped when it is
 * needed.
 */
#define LOW_SIZE (1 << 16)

static _Atomic uint64_t low_entries[LOW_SIZE];
static _Atomic uint64_t *_Atomic high_entries;
static _Atomic int highest = -1;

static bool in_table(int fd) { return registry && fd >= 0 && fd < TABLE_SIZE; }

/* NULL: nothing was entered yet that high. */
static _Atomic uint64_t *entry_at(int fd) {
    _Atomic uint64_t *high;

    if (!in_table(fd)) return NULL;
    if (fd < LOW_SIZE) return &low_entries[fd];
    high = atomic_load(&high_entries);
    return high ? &high[fd - LOW_SIZE] : NULL;
}

static void map_high(void) {
    const size_t size = (TABLE_SIZE - LOW_SIZE) * sizeof *low_entries;
    _Atomic uint64_t *none = NULL;
    int error = errno;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory != MAP_FAILED && !atomic_compare_exchange_strong(&high_entries, &none, memory)) munmap(memory, size);
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

static uint64_t birth_of(uint64_t entry) { return entry >> 24; }

static uint64_t entry_of(uint32_t slot, uint64_t birth) { return birth << 24 | (slot + 1); }

/* Whatever was there is stale: its close went past us. Without memory for it the descriptor stays unknown. */
static void enter(int fd, uint64_t entry) {
    int high = atomic_load(&highest);
    _Atomic uint64_t *at = entry_at(fd);

    if (!at && entry) {
        map_high();
        at = entry_at(fd);
        if (!at) table_bury(entry);
    }
    if (!at) return;
    while (high < fd && !atomic_compare_exchange_weak(&highest, &high, fd))
        ;
    table_bury(atomic_exchange(at, entry));
}

/* 0: the descriptor was closed meanwhile. errno untouched. */
static uint64_t inode_of(int fd) {
    struct stat status;
    int error = errno;
    uint64_t inode = fstat(fd, &status) == 0 ? status.st_ino : 0;

    errno = error;
    return inode;
}

void table_birth(int fd, int type, enum registry_state state) {
    uint64_t inode, birth;
    int32_t slot;

    if (!in_table(fd)) return;
    enter(fd, 0);
    inode = inode_of(fd);
    slot = inode ? slot_birth(inode, type, &birth) : -1;
    if (slot < 0) return;
    atomic_store(&registry_record_at(&view, (uint32_t)slot)->state, state);
    enter(fd, entry_of((uint32_t)slot, birth));
}

/* The state of a socket that nobody knew until now, as the kernel has it. errno untouched. */
static enum registry_state state_of(int fd) {
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    int error = errno;
    bool is_connected;

    if (socket_option(fd, SO_ACCEPTCONN, 0)) return REGISTRY_LISTENING;
    is_connected = libc.getpeername(fd, (struct sockaddr *)&peer, &length) == 0;
    errno = error;
    return is_connected ? REGISTRY_CONNECTED : REGISTRY_NEW;
}

/* False: the registry has no slot with this inode. */
static bool enter_known(int fd, uint64_t inode) {
    int32_t slot;
    uint64_t word;

    slots_reach();
    slot = registry_find(&view, inode);
    if (slot < 0) return false;
    word = atomic_load(registry_word_at(&view, (uint32_t)slot));
    if (atomic_load(registry_inode_at(&view, (uint32_t)slot)) != inode) return false;
    if (!slot_take((uint32_t)slot, registry_birth(word))) return false;
    enter(fd, entry_of((uint32_t)slot, registry_birth(word)));
    return true;
}

void table_arrival(int fd) {
    int family;

    if (!in_table(fd) || is_protected(fd)) return;
    enter(fd, 0);
    family = socket_option(fd, SO_DOMAIN, AF_UNSPEC);
    if (family != AF_INET && family != AF_INET6) return;
    if (!enter_known(fd, inode_of(fd))) table_birth(fd, socket_option(fd, SO_TYPE, 0), state_of(fd));
}

void table_copy(int from, int to) {
    uint64_t entry;

    if (!in_table(to)) return;
    entry = load(from) & ~FLAGS;
    if (entry && !slot_take(slot_of(entry), birth_of(entry))) entry = 0;
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
    if (slot_drop(slot_of(entry), birth_of(entry)) && state >= REGISTRY_LISTENING) notify();
}

void table_restore(int fd, uint64_t entry) {
    uint64_t none = 0;

    if (entry && !exchange(fd, &none, entry)) table_bury(entry);
}

void table_forget_range(unsigned int from, unsigned int to) {
    int high = atomic_load(&highest);

    for (unsigned int fd = from; high >= 0 && fd <= to && fd <= (unsigned int)high; fd++)
        table_bury(table_remove((int)fd));
}

struct registry_record *table_record(int fd) {
    uint64_t entry = load(fd);
    uint64_t word;

    if (!entry) return NULL;
    word = atomic_load(registry_word_at(&view, slot_of(entry)));
    return registry_birth(word) == birth_of(entry) ? registry_record_at(&view, slot_of(entry)) : NULL;
}

void table_notify(int fd) {
    if (table_record(fd)) notify();
}

void table_take_for_child(void) {
    int high = atomic_load(&highest);

    for (int fd = 0; fd <= high; fd++) {
        uint64_t entry = load(fd), now = entry;
        if (!entry || !slot_take(slot_of(entry), birth_of(entry))) continue;
        if (!exchange(fd, &now, entry | FOR_CHILD)) slot_drop(slot_of(entry), birth_of(entry));
    }
}

/* An entry without the mark was made between the taking and the fork. */
void table_child_born(void) {
    int high = atomic_load(&highest);

    for (int fd = 0; fd <= high; fd++) {
        uint64_t entry = load(fd);
        if (!entry) continue;
        if (!(entry & FOR_CHILD) && !slot_take(slot_of(entry), birth_of(entry))) entry = 0;
        atomic_store(entry_at(fd), entry & ~FLAGS);
    }
}

void table_child_failed(void) {
    int high = atomic_load(&highest);

    for (int fd = 0; fd <= high; fd++) {
        uint64_t entry = load(fd);
        if (!(entry & FOR_CHILD) || !exchange(fd, &entry, entry & ~FOR_CHILD)) continue;
        slot_drop(slot_of(entry), birth_of(entry));
    }
}

void table_detach(void) {
    int high = atomic_load(&highest);

    for (int fd = 0; fd <= high; fd++) {
        uint64_t entry = load(fd);
        if (!entry || (entry & DETACHED)) continue;
        if (!exchange(fd, &entry, entry | DETACHED)) continue;
        slot_drop(slot_of(entry), birth_of(entry));
    }
}

void table_attach(void) {
    int high = atomic_load(&highest);

    for (int fd = 0; fd <= high; fd++) {
        uint64_t entry = load(fd), now = entry;
        if (!(entry & DETACHED)) continue;
        uint64_t again = slot_take(slot_of(entry), birth_of(entry)) ? entry & ~FLAGS : 0;
        if (!again)
            table_arrival(fd);
        else if (!exchange(fd, &now, again))
            slot_drop(slot_of(again), birth_of(again));
    }
}
