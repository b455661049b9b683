/*
 * The shim, libmigrun.so: what every process of a program has before libc (LD_PRELOAD).
 *
 * How it works
 *
 * A call has three layers: libc.NAME is libc's function, shim_NAME is ours, and NAME is what the program gets. calls.h
 * lists them all. Ours do three things that nobody else can do:
 *
 *   - They keep the registry (registry/registry.h): each process has a table of its descriptors (table.h) that leads from a
 *     socket to its slot (slots.h). Calls that make and close descriptors keep the table (lifetimes.c), and fork and
 *     exec the count of references (process.h).
 *   - They note what the kernel shows to nobody: names that the program was told (names.h), and some options (options.h).
 *   - They hide that the program was frozen: a call that a freeze ended too early is made again, or goes on (attempt.h,
 *     send.c, receive.c, wait.c). A handler of the program ends a call as ever, so the shim counts those (signals.h).
 *
 * A folder is a room. A room includes what stands above it in this list, never what stands below
 * (test/native/rooms.test.ts checks it); this header is for all, and start.c stands below all:
 *
 *     registry    the registry, its slots, and this process's way from a descriptor to one
 *     freeze      what a freeze does to a call, and calls that wait for nothing but time, events and signals
 *     calls       all other calls, by what they do to a descriptor or a process
 *
 * What holds in every call of ours: errno changes only where libc's own call would change it; nothing is allocated,
 * nothing is printed; no lock is taken that a signal handler could want as well; and a libc function that is wrapped is
 * called as libc.NAME only.
 *
 * Without a registry the shim is inert: `registry` is NULL, no descriptor has an entry, and each call is libc's.
 *
 * What goes past it
 *
 * System calls that are not made through libc's functions (static programs, syscall(2), io_uring), and those that libc
 * makes for itself: stdio's reads and writes, the resolver's and syslog's sockets, the parent's exit in daemon(3). A
 * freeze holds all of that as well, and only what signal(7) says shows. Not known are descriptors at TABLE_SIZE and
 * above, and what a process does that shares its descriptors without its memory or the other way round (clone(2)). A
 * call with SO_RCVTIMEO or SO_SNDTIMEO that starts again after a freeze has its whole time again.
 *
 * Declared here is what is in start.c, and every shim_NAME; each of the other headers is the source's of the same name,
 * or has none. Those of its own room a file includes by name, those of another room by room and name. Only the
 * functions that the program gets are visible outside of the shim (binding.gyp).
 */
#pragma once

/* Headers must declare plain functions: neither fortified inlines nor fcntl renamed to fcntl64. */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#if !defined(__LP64__)
#error "calls.h has the calls of an LP64 system"
#endif

#define unlikely(condition) __builtin_expect(!!(condition), 0)

/* libc's own functions, bound before any shim_NAME runs. One that this libc does not have fails with ENOSYS. */
struct libc_calls {
#define CALL(result, name, parameters, arguments) result(*name) parameters;
#define VARIANT(result, name, of, parameters, arguments)
#define VARIADIC(result, name, parameters)
#include "calls.h"
};
extern struct libc_calls libc;

#define CALL(result, name, parameters, arguments) result shim_##name parameters;
#define VARIANT(result, name, of, parameters, arguments)
#define VARIADIC(result, name, parameters)
#include "calls.h"

/* Binds libc and, where there is one, maps the registry. Run by the constructor, or by a call before that. */
void shim_start(void);
extern _Atomic bool shim_started;
