/*
 * The registry: what every process of a program knows about its sockets, in one memfd that all of them map and
 * that CRIU carries. The shim writes it, a supervisor reads it and sets freeze words.
 *
 * Theory of operation
 *
 * A socket has a slot. A slot is one 64 bit word that says who owns it, an inode number, and a record:
 *
 *   word = generation << 24 | references
 *
 * Nothing here takes a lock, because whoever holds a lock can be killed or frozen. All of a slot's life is
 * compare-and-exchange on its word: (g, 0) -> (g + 1, BUSY) -> (g + 1, 1) is a birth, (g, n) -> (g, n +- 1) a
 * descriptor more or less. A slot with no references is free, and still says what it was until somebody takes it: a
 * program in the middle of an exec holds nothing for a moment and then finds its sockets again.
 *
 * A process remembers (slot, generation) for each of its descriptors. The generation makes a memory that is out of date
 * harmless; and because it is not the inode number, a supervisor may change that: a restored socket is a new inode.
 *
 * References count (process, descriptor) pairs as well as a library can: a process that is killed drops nothing.
 * The kernel is the truth about which sockets exist, and registry_sweep (native/registry.h) applies it.
 */
#ifndef MIGRUN_REGISTRY_H
#define MIGRUN_REGISTRY_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define REGISTRY_MAGIC UINT64_C(0x314b434f5347494d) /* "MIGSOCK1" */
#define REGISTRY_VERSION 1u

/* memfd_create(2)'s name, by which a process whose environment was cleared finds the registry (in /proc/self/fd). The
 * eventfd's number is by rule one less than the memfd's. */
#define REGISTRY_MEMFD_NAME "migrun-registry"
/* "<memfd>,<eventfd>": descriptor numbers in every process of the program. */
#define REGISTRY_ENV "MIGRUN_REGISTRY_FDS"

#define REGISTRY_SLOTS 32768u
#define REGISTRY_HINTS (2 * REGISTRY_SLOTS)
#define REGISTRY_REFERENCES UINT64_C(0xffffff)
#define REGISTRY_BUSY REGISTRY_REFERENCES
/* Room for a sockaddr_in6, the longest name kept. */
#define REGISTRY_NAME_ROOM 28u

enum registry_state {
    REGISTRY_NEW = 0,
    REGISTRY_BOUND,
    REGISTRY_LISTENING,
    REGISTRY_CONNECTING,
    REGISTRY_CONNECTED,
    REGISTRY_STATES,
};

/* A name that the program was told; length 0: none yet. */
struct registry_name {
    _Atomic uint32_t length;
    uint8_t bytes[REGISTRY_NAME_ROOM];
};

struct registry_record {
    /* Not 0: frozen. A futex(2) word, shared. */
    alignas(128) _Atomic uint32_t freeze;
    _Atomic uint32_t state;
    int32_t family;
    int32_t type;
    int32_t protocol;
    struct registry_name local;
    struct registry_name peer;
};

/* What every hooked call looks at, on a cache line that hardly ever changes. */
struct registry_signs {
    /* Odd from the start to the end of a freeze; each freeze adds two. */
    alignas(64) _Atomic uint32_t generation;
    /* Records whose freeze word is set. */
    _Atomic uint32_t frozen;
};

struct registry {
    uint64_t magic;
    uint32_t version;
    uint32_t slots;
    uint64_t size;
    struct registry_signs signs;
    /* Where to look for a free slot; none is in use at `high` and above; sockets that found no slot. */
    alignas(64) _Atomic uint32_t cursor;
    _Atomic uint32_t high;
    _Atomic uint32_t untracked;
    alignas(64) _Atomic uint64_t word[REGISTRY_SLOTS];
    _Atomic uint64_t inode[REGISTRY_SLOTS];
    /* Inode number, hashed, to the slot that had it last: right or ignored. */
    _Atomic uint32_t hint[REGISTRY_HINTS];
    struct registry_record record[REGISTRY_SLOTS];
};

#define REGISTRY_SIZE sizeof(struct registry)

/* Makes REGISTRY_SIZE bytes of zeros at `memory` an empty registry. Touches one page: a memfd stays sparse. */
static inline void registry_init(void *memory) {
    struct registry *registry = memory;

    registry->version = REGISTRY_VERSION;
    registry->slots = REGISTRY_SLOTS;
    registry->size = REGISTRY_SIZE;
    registry->magic = REGISTRY_MAGIC;
}

/* Whether `memory`, of at least REGISTRY_SIZE bytes, is a registry of this layout. */
static inline bool registry_valid(const void *memory) {
    const struct registry *registry = memory;

    return registry->magic == REGISTRY_MAGIC && registry->version == REGISTRY_VERSION &&
           registry->slots == REGISTRY_SLOTS && registry->size == REGISTRY_SIZE;
}

static inline uint64_t registry_word(uint64_t generation, uint64_t references) {
    return generation << 24 | references;
}

static inline uint64_t registry_generation(uint64_t word) { return word >> 24; }

static inline uint32_t registry_references(uint64_t word) { return (uint32_t)(word & REGISTRY_REFERENCES); }

/* Fibonacci hashing: inode numbers of sockets are nearly consecutive. */
static inline uint32_t registry_hint(uint64_t inode) {
    return (uint32_t)(inode * UINT64_C(0x9e3779b97f4a7c15) >> 32) % REGISTRY_HINTS;
}

static inline bool registry_holds(struct registry *registry, uint32_t slot, uint64_t inode) {
    uint64_t word = atomic_load(&registry->word[slot]);

    return word && registry_references(word) != REGISTRY_BUSY && atomic_load(&registry->inode[slot]) == inode;
}

static inline void registry_set_inode(struct registry *registry, uint32_t slot, uint64_t inode) {
    atomic_store(&registry->inode[slot], inode);
    atomic_store(&registry->hint[registry_hint(inode)], slot);
}

/* The slot of this socket inode, also one without references; -1: none. */
static inline int32_t registry_find(struct registry *registry, uint64_t inode) {
    uint32_t slot = atomic_load(&registry->hint[registry_hint(inode)]) % REGISTRY_SLOTS;
    uint32_t high = atomic_load(&registry->high);

    if (registry_holds(registry, slot, inode)) return (int32_t)slot;
    for (slot = 0; slot < high && slot < REGISTRY_SLOTS; slot++)
        if (registry_holds(registry, slot, inode)) return (int32_t)slot;
    return -1;
}

#endif
