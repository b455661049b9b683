#pragma once

/** Runs `work` in a task that has this process's memory and a copy of its descriptor table, as vfork(2) does; the calling
 * thread waits. The end of this process is not the task's, so that what it does is done as a whole. Its result, or -errno
 * where there can be no such task. */
int run_in_own_table(int (*work)(void *argument), void *argument);
