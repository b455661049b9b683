/* Freezing everything in a cgroup v2 (Documentation/admin-guide/cgroup-v2.rst).
 *
 * `path` is the cgroup's directory. Both return 0 or -errno. */
#pragma once

/** Freezes it and waits until not one of its tasks can run. A task in an uninterruptible call freezes only when
 * that call is over: after timeout_ms the cgroup is thawed again and the result is -ETIMEDOUT. Whatever
 * fails after the freeze was asked for, the cgroup is left thawed. */
int cgroup_freeze(const char *path, int timeout_ms);

/** Thaws it. There is nothing to wait for: the kernel marks it not frozen within the write (cgroup_do_freeze calls
 * cgroup_update_frozen), and its tasks run as soon as the scheduler takes them. */
int cgroup_thaw(const char *path);
