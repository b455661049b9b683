#include "registry.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../preload/registry.h"

static const char *const state_names[REGISTRY_STATES] = {
    [REGISTRY_NEW] = "new",
    [REGISTRY_BOUND] = "bound",
    [REGISTRY_LISTENING] = "listening",
    [REGISTRY_CONNECTING] = "connecting",
    [REGISTRY_CONNECTED] = "connected",
};

int registry_map(int memfd, struct registry **registry) {
    struct stat status;
    void *memory;

    if (fstat(memfd, &status) < 0) return -errno;
    if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size != REGISTRY_SIZE) return -EPROTO;
    memory = mmap(NULL, REGISTRY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    if (memory == MAP_FAILED) return -errno;
    if (!registry_valid(memory)) {
        munmap(memory, REGISTRY_SIZE);
        return -EPROTO;
    }
    *registry = memory;
    return 0;
}

void registry_unmap(struct registry *registry) { munmap(registry, REGISTRY_SIZE); }

void registry_begin_freeze(struct registry *registry) {
    uint32_t generation = atomic_load(&registry->signs.generation);

    atomic_store(&registry->signs.generation, (generation + 1) | 1);
}

void registry_end_freeze(struct registry *registry) {
    uint32_t generation = atomic_load(&registry->signs.generation);

    atomic_store(&registry->signs.generation, (generation + 1) & ~1u);
}

bool registry_set_frozen(struct registry *registry, uint64_t inode, bool frozen) {
    int32_t slot = registry_find(registry, inode);

    if (slot < 0) return false;
    _Atomic uint32_t *word = &registry->record[slot].freeze;
    if (frozen) {
        /* The count first: who looks at the word has seen that there is one to look at. */
        atomic_fetch_add(&registry->signs.frozen, 1);
        if (atomic_exchange(word, 1)) atomic_fetch_sub(&registry->signs.frozen, 1);
    } else if (atomic_exchange(word, 0)) {
        atomic_fetch_sub(&registry->signs.frozen, 1);
        syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
    }
    return true;
}

/* The last slot ever used, and one. The program may have written anything there. */
static uint32_t end_of(struct registry *registry) {
    uint32_t high = atomic_load(&registry->high);

    return high < REGISTRY_SLOTS ? high : REGISTRY_SLOTS;
}

/* 0 for a slot that is free, or just being taken. */
static uint32_t references_of(struct registry *registry, uint32_t slot) {
    uint32_t references = registry_references(atomic_load(&registry->word[slot]));

    return references == REGISTRY_BUSY ? 0 : references;
}

size_t registry_list(struct registry *registry, struct registry_socket *sockets, size_t room) {
    uint32_t end = end_of(registry);
    size_t count = 0;

    for (uint32_t slot = 0; slot < end; slot++) {
        const struct registry_record *record = &registry->record[slot];
        uint32_t references = references_of(registry, slot);
        uint32_t state;

        if (!references) continue;
        if (count < room) {
            state = atomic_load(&record->state);
            sockets[count] = (struct registry_socket){
                .inode = atomic_load(&registry->inode[slot]),
                .family = record->family,
                .type = record->type,
                .protocol = record->protocol,
                .state = state < REGISTRY_STATES ? state_names[state] : "unknown",
                .references = references,
            };
        }
        count++;
    }
    return count;
}

int registry_move_inodes(struct registry *registry, const struct registry_move *moves, size_t count) {
    int32_t *slots = calloc(count ? count : 1, sizeof *slots);

    if (!slots) return -ENOMEM;
    for (size_t i = 0; i < count; i++) slots[i] = registry_find(registry, moves[i].from);
    for (size_t i = 0; i < count; i++)
        if (slots[i] >= 0) registry_set_inode(registry, (uint32_t)slots[i], moves[i].to);
    free(slots);
    return 0;
}

static int compare(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

long registry_sweep(struct registry *registry, const uint64_t *alive, size_t count) {
    uint64_t *sorted = malloc(count ? count * sizeof *sorted : 1);
    uint32_t end = end_of(registry);
    long dropped = 0;

    if (!sorted) return -ENOMEM;
    if (count) memcpy(sorted, alive, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare);
    for (uint32_t slot = 0; slot < end; slot++) {
        uint64_t inode = atomic_load(&registry->inode[slot]);
        uint64_t word = atomic_load(&registry->word[slot]);

        if (!references_of(registry, slot) || bsearch(&inode, sorted, count, sizeof *sorted, compare)) continue;
        registry_set_frozen(registry, inode, false);
        atomic_store(&registry->word[slot], registry_word(registry_generation(word), 0));
        dropped++;
    }
    if (dropped) atomic_store(&registry->cursor, 0);
    free(sorted);
    return dropped;
}
