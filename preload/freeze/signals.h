/*
 * Signal handlers of the program.
 *
 * Whether an EINTR is the program's own business depends on whether a handler of its own ran. So the kernel knows only
 * our handler, which counts and then calls the program's; and the program knows only its own.
 */
#pragma once

#include <signal.h>
#include <stdint.h>

/* How many have run in this thread. */
extern __thread volatile uint32_t handlers_run __attribute__((tls_model("initial-exec")));

/* Blocks every signal, also those that libc keeps to itself; not a library call that could be wrapped. */
void signals_block(sigset_t *old);
void signals_restore(const sigset_t *old);

/* In the child of a fork. */
void signals_child_born(void);
