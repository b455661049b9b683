/* Slots of the registry: theory in registry.h. */
#include "shim.h"

/* (g, 0) -> (g + 1, BUSY). Whoever wins owns the slot until it stores the word again. */
static bool claim(uint32_t slot, uint64_t *generation) {
    uint64_t word = atomic_load(&registry->word[slot]);

    if (registry_references(word)) return false;
    *generation = registry_generation(word) + 1;
    return atomic_compare_exchange_strong(&registry->word[slot], &word, registry_word(*generation, REGISTRY_BUSY));
}

/* Low slots first, so that the memfd stays small; -1: all taken. */
static int32_t claim_any(uint64_t *generation) {
    uint32_t start = atomic_load(&registry->cursor) % REGISTRY_SLOTS;
    uint32_t high;

    for (uint32_t i = 0; i < REGISTRY_SLOTS; i++) {
        uint32_t slot = (start + i) % REGISTRY_SLOTS;
        if (!claim(slot, generation)) continue;
        atomic_store(&registry->cursor, slot + 1);
        high = atomic_load(&registry->high);
        while (high <= slot && !atomic_compare_exchange_weak(&registry->high, &high, slot + 1))
            ;
        return (int32_t)slot;
    }
    return -1;
}

/* A slot for a socket that nobody else has yet, with one reference; -1: the registry is full, and the socket works as
 * any other but is not in it. */
int32_t slot_birth(uint64_t inode, int family, int type, int protocol, uint64_t *generation) {
    int32_t slot = claim_any(generation);

    if (slot < 0) {
        atomic_fetch_add(&registry->untracked, 1);
        return -1;
    }
    struct registry_record *record = &registry->record[slot];
    if (atomic_exchange(&record->freeze, 0)) atomic_fetch_sub(&registry->signs.frozen, 1);
    record->family = family;
    record->type = type;
    record->protocol = protocol;
    atomic_store(&record->state, REGISTRY_NEW);
    atomic_store(&record->local.length, 0);
    atomic_store(&record->peer.length, 0);
    registry_set_inode(registry, (uint32_t)slot, inode);
    atomic_store(&registry->word[slot], registry_word(*generation, 1));
    return slot;
}

/* One reference more; also the first one again, after an exec. False: the slot is somebody else's by now. */
bool slot_take(uint32_t slot, uint64_t generation) {
    uint64_t word = atomic_load(&registry->word[slot]);

    do {
        if (registry_generation(word) != generation || registry_references(word) >= REGISTRY_BUSY - 1) return false;
    } while (!atomic_compare_exchange_weak(&registry->word[slot], &word, word + 1));
    return true;
}

bool slot_drop(uint32_t slot, uint64_t generation) {
    uint64_t word = atomic_load(&registry->word[slot]);

    do {
        if (registry_generation(word) != generation || !registry_references(word) ||
            registry_references(word) == REGISTRY_BUSY)
            return false;
    } while (!atomic_compare_exchange_weak(&registry->word[slot], &word, word - 1));
    if (registry_references(word) != 1) return false;
    if (slot < atomic_load(&registry->cursor)) atomic_store(&registry->cursor, slot);
    return true;
}
