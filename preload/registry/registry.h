/*
 * The registry: what the processes of a program know about its sockets of IPv4 and IPv6 and the kernel does not show.
 * These are the names that a program was told before its connection moved, and options that can be set but not read. No
 * socket of another family has such, so none is here.
 *
 * It is one memfd, which all processes of a program map and CRIU carries. The shim writes it (slots.c). The supervisor
 * reads it, and forgets in it what killed processes left (native/registry/registry.h).
 *
 * How it works
 *
 * A socket has a slot. A slot is one 64 bit word that says who owns it, an inode number, and a record:
 *
 *   word = birth << 24 | references
 *
 * No lock protects it, because whoever has a lock can be killed or frozen. All of a slot's life is compare-and-exchange
 * on its word. Births are numbered, and no two have the same number. A socket is born with (a, 0) -> (b, BUSY) -> (b,
 * 1); each descriptor more or less is (b, n) -> (b, n +- 1). A slot with no references is free, and still says what it
 * was until somebody takes it: a program in the middle of an exec holds nothing for a moment, and then finds its
 * sockets again.
 *
 * A process remembers (slot, birth) for each of its descriptors (table.c). The birth makes a memory that is out of date
 * harmless. And because it is not the inode number, the supervisor may change that one: a restored socket is a new
 * inode.
 *
 * The memfd has a first part, for as many sockets as most programs ever have. Where that is full, whoever finds it so
 * makes it grow by a second part, once, for as many as a process can have; every process maps that when it first needs
 * it. So a program with few sockets has a small mapping, whatever it does with its memory (mlockall(2), RLIMIT_AS).
 *
 * References count (process, descriptor) pairs as well as a library can: a process that is killed drops nothing. The
 * kernel is the truth about which sockets exist. So whenever a program stands still to be moved, the supervisor clears
 * all slots whose sockets are no more (registry_sweep in native/registry/registry.h). What it clears is zeros again,
 * which are no memory to carry. One slot stays in use for ever where a process was killed between (b, BUSY) and (b, 1):
 * nobody can tell.
 */
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "hidden_options.h"

#define REGISTRY_MAGIC UINT64_C(0x314b434f5347494d) /* "MIGSOCK1" */
#define REGISTRY_VERSION 4u

/* memfd_create(2)'s name, by which a process whose environment was cleared finds the registry (in /proc/self/fd). The
 * eventfd's number is by rule one less than the memfd's. */
#define REGISTRY_MEMFD_NAME "migrun-registry"
/* "<memfd>,<eventfd>": descriptor numbers in every process of the program. */
#define REGISTRY_ENV "MIGRUN_REGISTRY_FDS"

#define REGISTRY_FIRST_SLOTS 32768u
/* fs.nr_open, unless somebody has changed it. */
#define REGISTRY_SLOTS 1048576u
#define REGISTRY_MORE_SLOTS (REGISTRY_SLOTS - REGISTRY_FIRST_SLOTS)
#define REGISTRY_REFERENCES UINT64_C(0xffffff)
#define REGISTRY_BUSY REGISTRY_REFERENCES
/* Room for a sockaddr_in6, the longest name there is. */
#define REGISTRY_NAME_ROOM 28u

/* What the program did with a socket; the kernel may know better. */
enum registry_state {
    REGISTRY_NEW = 0,   /* or it is bound */
    REGISTRY_LISTENING, /* from here on it has a local name that stays */
    REGISTRY_CONNECTED, /* or it is connecting: it has the name of its peer as well */
};

/* A set of hidden options is the lower half of a word; the upper one counts its changes. */
#define HIDDEN(option) (UINT64_C(1) << HIDDEN_##option)
#define REGISTRY_HIDDEN_CHANGE (UINT64_C(1) << 32)
/* What an accepted connection has of its listening socket (sk_clone_lock() in net/core/sock.c). */
#define REGISTRY_INHERITED \
    (HIDDEN(FRAGMENT_SIZE) | HIDDEN(PACKET_INFO) | HIDDEN(FLOW_LABEL) | HIDDEN(POLICY) | HIDDEN(KEYS))

/* A name that the program was told; length 0: none yet. */
struct registry_name {
    _Atomic uint32_t length;
    uint8_t bytes[REGISTRY_NAME_ROOM];
};

struct registry_record {
    /* enum registry_state. */
    _Atomic uint32_t state;
    /* SOCK_STREAM or another. */
    int32_t type;
    /* HIDDEN(FLOW_LABEL) means a reflection here, HIDDEN(GROUP_PROGRAM) a socket that is in no group yet. */
    _Atomic uint64_t hidden;
    /* How many anycast groups are joined (IPV6_JOIN_ANYCAST) and flow labels leased (IPV6_FLOWLABEL_MGR). */
    _Atomic uint32_t anycast;
    _Atomic uint32_t flow_labels;
    struct registry_name local;
    struct registry_name peer;
};

/* Ports at which a group of SO_REUSEPORT has a program, by protocol: it is the group's, whoever of it attached it. */
#define REGISTRY_PORT_WORDS (65536u / 64)
enum registry_protocol { REGISTRY_TCP, REGISTRY_UDP, REGISTRY_PROTOCOLS };

struct registry {
    uint64_t magic;
    uint32_t version;
    uint32_t slots;
    uint64_t size;
    /* Odd from the start to the end of a freeze; each freeze adds two. Every hooked call looks at it, so nothing else on
     * its cache line ever changes. */
    _Atomic uint32_t freezes;
    /* Where to look for a free slot. */
    alignas(64) _Atomic uint32_t cursor;
    /* None is in use here and above. */
    _Atomic uint32_t high;
    _Atomic uint64_t births;
    /* 1: the memfd has its second part. */
    _Atomic uint32_t grown;
    /* 1: a record has had something hidden, or there has been a group's program. */
    _Atomic uint32_t hidden;
    /* 1: SO_RCVTIMEO or SO_SNDTIMEO was set somewhere. */
    _Atomic uint32_t timeouts;
    _Atomic uint64_t group_programs[REGISTRY_PROTOCOLS][REGISTRY_PORT_WORDS];
    alignas(64) _Atomic uint64_t word[REGISTRY_FIRST_SLOTS];
    _Atomic uint64_t inode[REGISTRY_FIRST_SLOTS];
    /* The slot that a socket of this inode number had last: right or ignored. */
    _Atomic uint32_t hint[2 * REGISTRY_FIRST_SLOTS];
    alignas(4096) struct registry_record record[REGISTRY_FIRST_SLOTS];
};

/* The second part: the same for all other slots, and hints for all. */
struct registry_more {
    _Atomic uint64_t word[REGISTRY_MORE_SLOTS];
    _Atomic uint64_t inode[REGISTRY_MORE_SLOTS];
    _Atomic uint32_t hint[2 * REGISTRY_SLOTS];
    alignas(4096) struct registry_record record[REGISTRY_MORE_SLOTS];
};

/* Sizes of the memfd: both are whole pages, as the second part's offset must be. */
#define REGISTRY_SIZE sizeof(struct registry)
#define REGISTRY_GROWN_SIZE (REGISTRY_SIZE + sizeof(struct registry_more))
_Static_assert(REGISTRY_SIZE % 4096 == 0 && sizeof(struct registry_more) % 4096 == 0, "whole pages");

/* A registry as one process has mapped it; `more` is NULL where it has not needed the second part. */
struct registry_view {
    struct registry *first;
    struct registry_more *_Atomic more;
};

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

/* How many slots this view reaches. */
static inline uint32_t registry_slots(const struct registry_view *view) {
    return atomic_load(&view->more) ? REGISTRY_SLOTS : REGISTRY_FIRST_SLOTS;
}

/* A slot's three parts; of slots below registry_slots() only. */
static inline _Atomic uint64_t *registry_word_at(const struct registry_view *view, uint32_t slot) {
    return slot < REGISTRY_FIRST_SLOTS ? &view->first->word[slot] : &view->more->word[slot - REGISTRY_FIRST_SLOTS];
}

static inline _Atomic uint64_t *registry_inode_at(const struct registry_view *view, uint32_t slot) {
    return slot < REGISTRY_FIRST_SLOTS ? &view->first->inode[slot] : &view->more->inode[slot - REGISTRY_FIRST_SLOTS];
}

static inline struct registry_record *registry_record_at(const struct registry_view *view, uint32_t slot) {
    return slot < REGISTRY_FIRST_SLOTS ? &view->first->record[slot] : &view->more->record[slot - REGISTRY_FIRST_SLOTS];
}

static inline uint64_t registry_word(uint64_t birth, uint64_t references) { return birth << 24 | references; }

static inline uint64_t registry_birth(uint64_t word) { return word >> 24; }

static inline uint32_t registry_references(uint64_t word) { return (uint32_t)(word & REGISTRY_REFERENCES); }

/* Where this view has the hint of an inode. Numbers of sockets are nearly consecutive: their hints share pages. */
static inline _Atomic uint32_t *registry_hint_at(const struct registry_view *view, uint64_t inode) {
    struct registry_more *more = atomic_load(&view->more);

    return more ? &more->hint[inode % (2 * REGISTRY_SLOTS)] : &view->first->hint[inode % (2 * REGISTRY_FIRST_SLOTS)];
}

static inline bool registry_holds(const struct registry_view *view, uint32_t slot, uint64_t inode) {
    uint64_t word = atomic_load(registry_word_at(view, slot));

    return word && registry_references(word) != REGISTRY_BUSY && atomic_load(registry_inode_at(view, slot)) == inode;
}

static inline void registry_set_inode(const struct registry_view *view, uint32_t slot, uint64_t inode) {
    atomic_store(registry_inode_at(view, slot), inode);
    atomic_store(registry_hint_at(view, inode), slot);
}

/* The end of the slots that may be in use, as far as this view reaches. */
static inline uint32_t registry_end(const struct registry_view *view) {
    uint32_t high = atomic_load(&view->first->high), slots = registry_slots(view);

    return high < slots ? high : slots;
}

/* The slot of this socket inode, also one without references; -1: none. */
static inline int32_t registry_find(const struct registry_view *view, uint64_t inode) {
    uint32_t end = registry_end(view);
    uint32_t slot = atomic_load(registry_hint_at(view, inode));

    if (slot < end && registry_holds(view, slot, inode)) return (int32_t)slot;
    for (slot = 0; slot < end; slot++)
        if (registry_holds(view, slot, inode)) return (int32_t)slot;
    return -1;
}
