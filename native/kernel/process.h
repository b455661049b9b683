/* Processes by pidfd: a number that cannot come to mean another process.
 *
 * All return 0 (or the descriptor, close-on-exec) or -errno. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/** Orphans below this process become its children (PR_SET_CHILD_SUBREAPER; inherited by nobody). */
int process_become_subreaper(void);

/** A pidfd; readable to poll(2) once the process has ended, reaped or not. -ESRCH: no such process. */
int process_open(pid_t pid);

/** Our own descriptor of what `fd` is in that process: same open file. -EBADF: it has no such descriptor;
 * -EPERM: not allowed to ptrace it. */
int process_take_fd(int pidfd, int fd);

/** Whether this process may wait for it: 0 or -ECHILD. Takes nothing. */
int process_check_child(int pidfd);

/** Reaps an ended child without waiting for its end. *code: its exit code, or 128 + the signal that ended it.
 * -EAGAIN: it runs on; -ECHILD: not ours, or reaped already. */
int process_reap(int pidfd, int *code);

/**
 * Gives a thread these CPUs and no others; its tid as this process sees it. CPUs that this host has not got count for
 * nothing. -EINVAL: of all of them there is none that the thread's cpuset has.
 */
int process_set_affinity(pid_t tid, const uint32_t *cpus, size_t count);

/**
 * Runs `work` in a task that has this process's memory and a copy of its descriptor table, as vfork(2) does; the
 * calling thread waits. The task does not end with this process, so that its work is done as a whole. Returns what
 * `work` returns, or -errno where there can be no such task.
 */
int process_run_with_own_descriptors(int (*work)(void *argument), void *argument);
