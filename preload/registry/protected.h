/*
 * The registry as this process has mapped it, and the two descriptors behind it: its memfd, for the next exec and for
 * the supervisor of another host, and the eventfd. To the program they are numbers that are not open: close and fcntl
 * say EBADF, closing a range goes around them, and a dup2 onto one of them moves it out of the way first.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "registry.h"
#include "shim.h"

/* NULL: the shim is inert. */
extern struct registry *registry;
/* The registry with its second part, as far as this process has mapped that (slots.h). */
extern struct registry_view view;

/* The registry's count of freezes, or a zero: never NULL. */
extern _Atomic uint32_t *freezes;

extern _Atomic int memory_fd, event_fd;

/* Maps the registry that this process inherited. False: there is none. The environment names it; where the program changed
 * that, or the numbers since, the memfd's name does. */
bool protected_find(void);

/* Gives `to`, the number of one of the two, up to the program, and stays inherited by the next exec at a new number.
 * False: no room. A notify in another thread in this very moment may miss; nothing but a look is lost. */
bool protected_move_away(int to);

/* Tells the supervisor that something changed. Not a cancellation point. errno untouched. */
void notify(void);

static inline bool is_protected(int fd) {
    return unlikely(registry && (fd == atomic_load(&memory_fd) || fd == atomic_load(&event_fd)));
}

/* Whether the program may not use fd; then errno is what it is for a number that is not open. */
static inline bool protected_refuses(int fd) {
    if (!is_protected(fd)) return false;
    errno = EBADF;
    return true;
}
