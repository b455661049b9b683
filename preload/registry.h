/*
 * The registry: what every process of a program knows about its sockets, in one memfd that all of them map and
 * that CRIU carries. The shim writes it, a supervisor reads it.
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
 * The memfd has a first part, for as many sockets as most programs ever have. Where that is full, whoever finds it so
 * makes it grow by a second part, once, for as many as a process can have; every process maps that when it first needs
 * it. So a program with few sockets has a small mapping, whatever it does with its memory (mlockall(2), RLIMIT_AS).
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

/* What a program has set on a socket, or used, and the kernel shows to nobody (options.c): a bit each. */
enum registry_hidden {
    REGISTRY_GROUP_PROGRAM = 1 << 0,    /* SO_ATTACH_REUSEPORT_CBPF, _EBPF, of a socket that is in no group yet */
    REGISTRY_MULTICAST_INDEX = 1 << 1,  /* IP_MULTICAST_IF with an index */
    REGISTRY_MULTICAST_STREAM = 1 << 2, /* a multicast group that a TCP socket has joined */
    REGISTRY_FRAGMENT_SIZE = 1 << 3,    /* IPV6_MTU */
    REGISTRY_PACKET_INFO = 1 << 4,      /* IPV6_PKTINFO */
    REGISTRY_FLOW_REFLECTION = 1 << 5,  /* IPV6_FLOWLABEL_MGR with IPV6_FL_F_REFLECT */
    REGISTRY_POLICY = 1 << 6,           /* IP_XFRM_POLICY, IPV6_XFRM_POLICY and their older names */
    REGISTRY_KEYS = 1 << 7,             /* TCP_MD5SIG, TCP_MD5SIG_EXT; stays where they are taken away again */
    REGISTRY_ZEROCOPY = 1 << 8,         /* MSG_ZEROCOPY with SO_ZEROCOPY: the kernel numbers such sends */
    REGISTRY_SYN_READ = 1 << 9,         /* TCP_SAVED_SYN: there is nothing more to read */
};
/* A set of these is the lower half of a word; the upper one counts its changes. */
#define REGISTRY_HIDDEN_CHANGE (UINT64_C(1) << 32)
/* What an accepted connection has of its listening socket (sk_clone_lock() in net/core/sock.c). */
#define REGISTRY_INHERITED \
    (REGISTRY_FRAGMENT_SIZE | REGISTRY_PACKET_INFO | REGISTRY_FLOW_REFLECTION | REGISTRY_POLICY | REGISTRY_KEYS)

/* A name that the program was told; length 0: none yet. */
struct registry_name {
    _Atomic uint32_t length;
    uint8_t bytes[REGISTRY_NAME_ROOM];
};

struct registry_record {
    alignas(128) _Atomic uint32_t state;
    int32_t family;
    int32_t type;
    int32_t protocol;
    /* enum registry_hidden. */
    _Atomic uint64_t hidden;
    /* Anycast groups joined (IPV6_JOIN_ANYCAST) and flow labels leased (IPV6_FLOWLABEL_MGR). */
    _Atomic uint32_t anycast;
    _Atomic uint32_t flow_labels;
    struct registry_name local;
    struct registry_name peer;
};

/* Ports at which a group of SO_REUSEPORT has a program, by protocol: it is the group's, whoever of it attached it. */
#define REGISTRY_PORT_WORDS (65536u / 64)
enum registry_protocol { REGISTRY_TCP, REGISTRY_UDP, REGISTRY_PROTOCOLS };

/* What every hooked call looks at, on a cache line that hardly ever changes. */
struct registry_signs {
    /* Odd from the start to the end of a freeze; each freeze adds two. */
    alignas(64) _Atomic uint32_t generation;
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
    /* 1: the memfd has its second part. */
    _Atomic uint32_t grown;
    /* 1: a record has had something hidden, or there has been a group's program. */
    _Atomic uint32_t hidden;
    /* 1: SO_RCVTIMEO or SO_SNDTIMEO was set somewhere. */
    _Atomic uint32_t timeouts;
    _Atomic uint64_t group_programs[REGISTRY_PROTOCOLS][REGISTRY_PORT_WORDS];
    alignas(64) _Atomic uint64_t word[REGISTRY_FIRST_SLOTS];
    _Atomic uint64_t inode[REGISTRY_FIRST_SLOTS];
    /* Inode number, hashed, to the slot that had it last: right or ignored. */
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

static inline uint64_t registry_word(uint64_t generation, uint64_t references) { return generation << 24 | references; }

static inline uint64_t registry_generation(uint64_t word) { return word >> 24; }

static inline uint32_t registry_references(uint64_t word) { return (uint32_t)(word & REGISTRY_REFERENCES); }

/* Fibonacci hashing: inode numbers of sockets are nearly consecutive. */
static inline uint32_t registry_hash(uint64_t inode, uint32_t size) {
    return (uint32_t)(inode * UINT64_C(0x9e3779b97f4a7c15) >> 32) % size;
}

/* Where this view keeps the hint of an inode. */
static inline _Atomic uint32_t *registry_hint_at(const struct registry_view *view, uint64_t inode) {
    struct registry_more *more = atomic_load(&view->more);

    return more ? &more->hint[registry_hash(inode, 2 * REGISTRY_SLOTS)]
                : &view->first->hint[registry_hash(inode, 2 * REGISTRY_FIRST_SLOTS)];
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

#endif
