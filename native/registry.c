#include "registry.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../preload/registry.h"

static const char *const state_names[REGISTRY_STATES] = {
    [REGISTRY_NEW] = "new",
    [REGISTRY_BOUND] = "bound",
    [REGISTRY_LISTENING] = "listening",
    [REGISTRY_CONNECTING] = "connecting",
    [REGISTRY_CONNECTED] = "connected",
};

struct registry_mapping {
    struct registry_view view;
    /* Ours: for the second part. */
    int memfd;
};

static int map_first(int memfd, struct registry_view *view) {
    struct stat status;
    void *memory;

    if (fstat(memfd, &status) < 0) return -errno;
    if (!S_ISREG(status.st_mode) || (uint64_t)status.st_size < REGISTRY_SIZE) return -EPROTO;
    memory = mmap(NULL, REGISTRY_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    if (memory == MAP_FAILED) return -errno;
    if (!registry_valid(memory)) {
        munmap(memory, REGISTRY_SIZE);
        return -EPROTO;
    }
    view->first = memory;
    return 0;
}

int registry_map(int memfd, struct registry_mapping **mapping) {
    struct registry_mapping *made = calloc(1, sizeof *made);
    int result;

    if (!made) return -ENOMEM;
    result = map_first(memfd, &made->view);
    made->memfd = result < 0 ? -1 : fcntl(memfd, F_DUPFD_CLOEXEC, 0);
    if (result == 0 && made->memfd < 0) result = -errno;
    if (result < 0) {
        registry_unmap(made);
        return result;
    }
    *mapping = made;
    return 0;
}

void registry_unmap(struct registry_mapping *mapping) {
    if (mapping->view.more) munmap(mapping->view.more, sizeof *mapping->view.more);
    if (mapping->view.first) munmap(mapping->view.first, REGISTRY_SIZE);
    if (mapping->memfd >= 0) close(mapping->memfd);
    free(mapping);
}

/* With the second part, once the program has one. What the program says of that it could have made up. */
static const struct registry_view *view_of(struct registry_mapping *mapping) {
    struct registry_view *view = &mapping->view;
    struct stat status;
    void *memory;

    if (view->more || !atomic_load(&view->first->grown)) return view;
    if (fstat(mapping->memfd, &status) < 0 || (uint64_t)status.st_size < REGISTRY_GROWN_SIZE) return view;
    memory = mmap(NULL, sizeof *view->more, PROT_READ | PROT_WRITE, MAP_SHARED, mapping->memfd, REGISTRY_SIZE);
    if (memory != MAP_FAILED) view->more = memory;
    return view;
}

void registry_begin_freeze(struct registry_mapping *mapping) {
    _Atomic uint32_t *generation = &mapping->view.first->signs.generation;

    atomic_store(generation, (atomic_load(generation) + 1) | 1);
}

void registry_end_freeze(struct registry_mapping *mapping) {
    _Atomic uint32_t *generation = &mapping->view.first->signs.generation;

    atomic_store(generation, (atomic_load(generation) + 1) & ~1u);
}

/* 0 for a slot that is free, or just being taken. */
static uint32_t references_of(const struct registry_view *view, uint32_t slot) {
    uint32_t references = registry_references(atomic_load(registry_word_at(view, slot)));

    return references == REGISTRY_BUSY ? 0 : references;
}

size_t registry_list(struct registry_mapping *mapping, struct registry_socket *sockets, size_t room) {
    const struct registry_view *view = view_of(mapping);
    uint32_t end = registry_end(view);
    size_t count = 0;

    for (uint32_t slot = 0; slot < end; slot++) {
        const struct registry_record *record = registry_record_at(view, slot);
        uint32_t references = references_of(view, slot);
        uint32_t state;

        if (!references) continue;
        if (count < room) {
            state = atomic_load(&record->state);
            sockets[count] = (struct registry_socket){
                .inode = atomic_load(registry_inode_at(view, slot)),
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

static uint32_t hidden_of(const struct registry_record *record) {
    static const struct {
        uint32_t noted;
        enum hidden_option option;
    } table[] = {
        {REGISTRY_GROUP_PROGRAM, HIDDEN_GROUP_PROGRAM},
        {REGISTRY_MULTICAST_INDEX, HIDDEN_MULTICAST_INDEX},
        {REGISTRY_MULTICAST_STREAM, HIDDEN_MULTICAST_STREAM},
        {REGISTRY_FRAGMENT_SIZE, HIDDEN_FRAGMENT_SIZE},
        {REGISTRY_PACKET_INFO, HIDDEN_PACKET_INFO},
        {REGISTRY_FLOW_REFLECTION, HIDDEN_FLOW_LABEL},
        {REGISTRY_POLICY, HIDDEN_POLICY},
        {REGISTRY_KEYS, HIDDEN_KEYS},
        {REGISTRY_ZEROCOPY, HIDDEN_ZEROCOPY_NUMBERS},
        {REGISTRY_SYN_READ, HIDDEN_SYN_READ},
    };
    uint64_t noted = atomic_load(&record->hidden);
    uint32_t found = 0;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (noted & table[i].noted) found |= 1u << table[i].option;
    if (atomic_load(&record->anycast)) found |= 1u << HIDDEN_ANYCAST;
    if (atomic_load(&record->flow_labels)) found |= 1u << HIDDEN_FLOW_LABEL;
    return found;
}

bool registry_has_timeouts(struct registry_mapping *mapping) { return atomic_load(&mapping->view.first->timeouts); }

size_t registry_list_hidden(struct registry_mapping *mapping, struct registry_hidden_socket *sockets, size_t room) {
    const struct registry_view *view = view_of(mapping);
    uint32_t end = atomic_load(&view->first->hidden) ? registry_end(view) : 0;
    size_t count = 0;

    for (uint32_t slot = 0; slot < end; slot++) {
        uint32_t options = references_of(view, slot) ? hidden_of(registry_record_at(view, slot)) : 0;

        if (!options) continue;
        if (count < room)
            sockets[count] = (struct registry_hidden_socket){atomic_load(registry_inode_at(view, slot)), options};
        count++;
    }
    return count;
}

size_t registry_list_groups(struct registry_mapping *mapping, struct registry_group *groups, size_t room) {
    static const int protocols[REGISTRY_PROTOCOLS] = {[REGISTRY_TCP] = IPPROTO_TCP, [REGISTRY_UDP] = IPPROTO_UDP};
    struct registry *registry = mapping->view.first;
    size_t count = 0;

    for (uint32_t i = 0; atomic_load(&registry->hidden) && i < REGISTRY_PROTOCOLS * REGISTRY_PORT_WORDS; i++) {
        uint64_t ports = atomic_load(&registry->group_programs[i / REGISTRY_PORT_WORDS][i % REGISTRY_PORT_WORDS]);

        for (unsigned bit = 0; ports; ports >>= 1, bit++) {
            if (!(ports & 1)) continue;
            if (count < room)
                groups[count] = (struct registry_group){protocols[i / REGISTRY_PORT_WORDS],
                                                        (uint16_t)(i % REGISTRY_PORT_WORDS * 64 + bit)};
            count++;
        }
    }
    return count;
}

static int compare_moves(const void *left, const void *right) {
    const struct registry_move *a = left, *b = right;

    return (a->from > b->from) - (a->from < b->from);
}

int registry_move_inodes(struct registry_mapping *mapping, const struct registry_move *moves, size_t count) {
    const struct registry_view *view = view_of(mapping);
    struct registry_move *sorted = malloc(count ? count * sizeof *sorted : 1);
    int32_t *moved = NULL;
    uint32_t end = registry_end(view);

    if (!sorted) return -ENOMEM;
    if (count) memcpy(sorted, moves, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_moves);
    moved = calloc(end ? end : 1, sizeof *moved);
    if (!moved) {
        free(sorted);
        return -ENOMEM;
    }
    /* First what becomes what, while no new number can be taken for an old one. */
    for (uint32_t slot = 0; slot < end; slot++) {
        const struct registry_move key = {.from = atomic_load(registry_inode_at(view, slot))};
        const struct registry_move *move = bsearch(&key, sorted, count, sizeof key, compare_moves);

        if (move && registry_references(atomic_load(registry_word_at(view, slot))) != REGISTRY_BUSY)
            moved[slot] = (int32_t)(move - sorted) + 1;
    }
    /* A free slot may still have the number of a socket that another has now: those in use come last, and are found. */
    for (int in_use = 0; in_use < 2; in_use++)
        for (uint32_t slot = 0; slot < end; slot++)
            if (moved[slot] && (references_of(view, slot) > 0) == in_use)
                registry_set_inode(view, slot, sorted[moved[slot] - 1].to);
    free(moved);
    free(sorted);
    return 0;
}

static int compare(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return a < b ? -1 : a > b;
}

long registry_sweep(struct registry_mapping *mapping, const uint64_t *alive, size_t count) {
    const struct registry_view *view = view_of(mapping);
    uint64_t *sorted = malloc(count ? count * sizeof *sorted : 1);
    uint32_t end = registry_end(view);
    long dropped = 0;

    if (!sorted) return -ENOMEM;
    if (count) memcpy(sorted, alive, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare);
    for (uint32_t slot = 0; slot < end; slot++) {
        uint64_t inode = atomic_load(registry_inode_at(view, slot));
        uint64_t word = atomic_load(registry_word_at(view, slot));

        if (!references_of(view, slot) || bsearch(&inode, sorted, count, sizeof *sorted, compare)) continue;
        atomic_store(registry_word_at(view, slot), registry_word(registry_generation(word), 0));
        dropped++;
    }
    if (dropped) atomic_store(&view->first->cursor, 0);
    free(sorted);
    return dropped;
}
