#include "slots.h"

#include <sys/mman.h>

#include "protected.h"
#include "shim.h"

/* False: there is no room for it in this process's memory. */
static bool map_more(void) {
    struct registry_more *none = NULL;
    int error = errno;
    void *memory = mmap(NULL, sizeof *none, PROT_READ | PROT_WRITE, MAP_SHARED, atomic_load(&memory_fd), REGISTRY_SIZE);

    if (memory != MAP_FAILED && !atomic_compare_exchange_strong(&view.more, &none, memory))
        munmap(memory, sizeof *none);
    errno = error;
    return memory != MAP_FAILED;
}

void slots_reach(void) {
    if (unlikely(atomic_load(&registry->grown)) && !atomic_load(&view.more)) map_more();
}

/* Makes the second part, with the hints that the first one had. However many do this at once, it comes to the same. */
static bool grow(void) {
    int error = errno;
    bool is_there = ftruncate(atomic_load(&memory_fd), REGISTRY_GROWN_SIZE) == 0;

    errno = error;
    if (!is_there || (!atomic_load(&view.more) && !map_more())) return false;
    if (atomic_load(&registry->grown)) return true;
    for (uint32_t slot = 0; slot < REGISTRY_FIRST_SLOTS; slot++)
        atomic_store(registry_hint_at(&view, atomic_load(&registry->inode[slot])), slot);
    atomic_store(&registry->grown, 1);
    return true;
}

/* (a, 0) -> (b, BUSY). Whoever wins owns the slot until it stores the word again. */
static bool claim(uint32_t slot, uint64_t *birth) {
    _Atomic uint64_t *at = registry_word_at(&view, slot);
    uint64_t word = atomic_load(at);

    if (registry_references(word)) return false;
    *birth = atomic_fetch_add(&registry->births, 1) + 1;
    return atomic_compare_exchange_strong(at, &word, registry_word(*birth, REGISTRY_BUSY));
}

/* Low slots first, so that the memfd stays small; -1: all taken. */
static int32_t claim_among(uint32_t slots, uint64_t *birth) {
    uint32_t start = atomic_load(&registry->cursor) % slots;
    uint32_t high;

    for (uint32_t i = 0; i < slots; i++) {
        uint32_t slot = (start + i) % slots;
        if (!claim(slot, birth)) continue;
        atomic_store(&registry->cursor, slot + 1);
        high = atomic_load(&registry->high);
        while (high <= slot && !atomic_compare_exchange_weak(&registry->high, &high, slot + 1))
            ;
        return (int32_t)slot;
    }
    return -1;
}

static int32_t claim_any(uint64_t *birth) {
    int32_t slot;

    slots_reach();
    slot = claim_among(registry_slots(&view), birth);
    return slot < 0 && registry_slots(&view) < REGISTRY_SLOTS && grow() ? claim_among(REGISTRY_SLOTS, birth) : slot;
}

int32_t slot_birth(uint64_t inode, int type, uint64_t *birth) {
    int32_t slot = claim_any(birth);
    struct registry_record *record;

    if (slot < 0) return -1;
    record = registry_record_at(&view, (uint32_t)slot);
    record->type = type;
    atomic_store(&record->state, REGISTRY_NEW);
    atomic_store(&record->hidden, 0);
    atomic_store(&record->anycast, 0);
    atomic_store(&record->flow_labels, 0);
    atomic_store(&record->local.length, 0);
    atomic_store(&record->peer.length, 0);
    registry_set_inode(&view, (uint32_t)slot, inode);
    atomic_store(registry_word_at(&view, (uint32_t)slot), registry_word(*birth, 1));
    return slot;
}

bool slot_take(uint32_t slot, uint64_t birth) {
    _Atomic uint64_t *at = registry_word_at(&view, slot);
    uint64_t word = atomic_load(at);

    do {
        if (registry_birth(word) != birth || registry_references(word) >= REGISTRY_BUSY - 1) return false;
    } while (!atomic_compare_exchange_weak(at, &word, word + 1));
    return true;
}

bool slot_drop(uint32_t slot, uint64_t birth) {
    _Atomic uint64_t *at = registry_word_at(&view, slot);
    uint64_t word = atomic_load(at);

    do {
        if (registry_birth(word) != birth || !registry_references(word) || registry_references(word) == REGISTRY_BUSY)
            return false;
    } while (!atomic_compare_exchange_weak(at, &word, word - 1));
    if (registry_references(word) != 1) return false;
    if (slot < atomic_load(&registry->cursor)) atomic_store(&registry->cursor, slot);
    return true;
}
