/*
 * What the shim does where processes begin and end.
 *
 * fork: the references of the child are taken before it exists, by handlers that libc runs in every fork, also in its
 * own (daemon, forkpty). _Fork runs no handlers, so it is wrapped.
 *
 * vfork is a fork: our child must not work on the parent's table, and a wrapper cannot return twice into a stack frame
 * that it shares. So the parent goes on at once, and its memory is not the child's.
 *
 * exec: this image gives all its references back, and the next one counts the sockets that it finds open. What was
 * noted of a socket stays in its slot meanwhile.
 *
 * posix_spawn needs nothing: the child works inside libc, and the new image counts what it finds. The same holds for
 * system and popen, which use it.
 */
#pragma once

/* Once in each program image. */
void process_start(void);
