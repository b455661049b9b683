#include "registry.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../preload/registry/registry.h"
#include "kernel/array.h"

/* What is smaller has no page of its own. */
enum { PAGE = 4096 };

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

/* The view has the second part too, once the program has one. The program may lie about that, so the memfd is asked. */
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
    _Atomic uint32_t *freezes = &mapping->view.first->freezes;

    atomic_store(freezes, (atomic_load(freezes) + 1) | 1);
}

void registry_end_freeze(struct registry_mapping *mapping) {
    _Atomic uint32_t *freezes = &mapping->view.first->freezes;

    atomic_store(freezes, (atomic_load(freezes) + 1) & ~1u);
}

/* 0: the slot is free, or just being taken. */
static uint32_t references_of(const struct registry_view *view, uint32_t slot) {
    uint32_t references = registry_references(atomic_load(registry_word_at(view, slot)));

    return references == REGISTRY_BUSY ? 0 : references;
}

size_t registry_list(struct registry_mapping *mapping, uint64_t *inodes, size_t room) {
    const struct registry_view *view = view_of(mapping);
    uint32_t end = registry_end(view);
    size_t count = 0;

    for (uint32_t slot = 0; slot < end; slot++) {
        if (!references_of(view, slot)) continue;
        if (count < room) inodes[count] = atomic_load(registry_inode_at(view, slot));
        count++;
    }
    return count;
}

/* Returns a bit for each enum hidden_option that the socket has. */
static uint32_t hidden_of(const struct registry_record *record) {
    uint32_t found = (uint32_t)atomic_load(&record->hidden);

    if (atomic_load(&record->anycast)) found |= HIDDEN(ANYCAST);
    if (atomic_load(&record->flow_labels)) found |= HIDDEN(FLOW_LABEL);
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

/* 0: nobody has had the slot since it was cleared, or somebody is just taking it. A look at memory that was given back would
 * bring that back, so there is none where the word says enough. */
static uint64_t inode_of(const struct registry_view *view, uint32_t slot) {
    uint64_t word = atomic_load(registry_word_at(view, slot));

    return word && registry_references(word) != REGISTRY_BUSY ? atomic_load(registry_inode_at(view, slot)) : 0;
}

int registry_move_inodes(struct registry_mapping *mapping, const struct registry_move *moves, size_t count) {
    const struct registry_view *view = view_of(mapping);
    struct registry_move *sorted = array_sorted(moves, count, sizeof *moves, array_compare64);
    uint32_t end = registry_end(view);

    if (!sorted) return -ENOMEM;
    for (uint32_t slot = 0; slot < end; slot++) {
        uint64_t inode = inode_of(view, slot);
        const struct registry_move *move =
            inode ? bsearch(&inode, sorted, count, sizeof *sorted, array_compare64) : NULL;

        if (move) registry_set_inode(view, slot, move->to);
    }
    free(sorted);
    return 0;
}

/* Makes this memory of the registry zeros, and gives the pages that are nothing else back to the kernel. */
static void clear(const struct registry_mapping *mapping, void *memory, size_t size) {
    char *at = memory, *first = (char *)mapping->view.first, *more = (char *)mapping->view.more;
    bool is_first = at >= first && at < first + REGISTRY_SIZE;
    off_t offset = is_first ? at - first : at - more + (off_t)REGISTRY_SIZE;

    if (size < PAGE || fallocate(mapping->memfd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, (off_t)size) < 0)
        memset(memory, 0, size);
}

/* Slots from `from` on, up to `to`, become as they were before anybody had them. */
static void clear_slots(const struct registry_mapping *mapping, uint32_t from, uint32_t to) {
    const struct registry_view *view = &mapping->view;

    for (uint32_t end; from < to; from = end) {
        end = from < REGISTRY_FIRST_SLOTS && to > REGISTRY_FIRST_SLOTS ? REGISTRY_FIRST_SLOTS : to;
        clear(mapping, registry_word_at(view, from), (end - from) * sizeof(uint64_t));
        clear(mapping, registry_inode_at(view, from), (end - from) * sizeof(uint64_t));
        clear(mapping, registry_record_at(view, from), (end - from) * sizeof(struct registry_record));
    }
}

/* A hint does not say whether its socket still is. */
static void clear_hints(const struct registry_mapping *mapping) {
    const struct registry_view *view = &mapping->view;

    clear(mapping, view->first->hint, sizeof view->first->hint);
    if (view->more) clear(mapping, view->more->hint, sizeof view->more->hint);
}

int registry_sweep(struct registry_mapping *mapping, const uint64_t *alive, size_t count) {
    const struct registry_view *view = view_of(mapping);
    uint64_t *sorted = array_sorted(alive, count, sizeof *alive, array_compare64);
    uint32_t end = registry_end(view), kept = 0;

    /* There may be a second part that could not be mapped. */
    if (!sorted || (atomic_load(&view->first->grown) && !view->more)) {
        free(sorted);
        return -ENOMEM;
    }
    clear_hints(mapping);
    for (uint32_t slot = 0; slot < end; slot++) {
        uint64_t word = atomic_load(registry_word_at(view, slot)), inode = inode_of(view, slot);
        bool is_open = inode && bsearch(&inode, sorted, count, sizeof *sorted, array_compare64);

        if (!is_open && registry_references(word) != REGISTRY_BUSY) continue;
        if (is_open) registry_set_inode(view, slot, inode);
        clear_slots(mapping, kept, slot);
        kept = slot + 1;
    }
    clear_slots(mapping, kept, end);
    atomic_store(&view->first->high, kept);
    atomic_store(&view->first->cursor, 0);
    free(sorted);
    return 0;
}
