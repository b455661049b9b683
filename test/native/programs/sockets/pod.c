#include "pod.h"

#include "cases.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[PATH_MAX / 4], own[PATH_MAX / 2], pod[PATH_MAX];

static void find_root(void) {
    FILE *mounts = setmntent("/proc/self/mounts", "r");
    struct mntent *mount;

    expect(mounts, "no /proc");
    while (!*root && (mount = getmntent(mounts)))
        if (strcmp(mount->mnt_type, "cgroup2") == 0) snprintf(root, sizeof root, "%s", mount->mnt_dir);
    endmntent(mounts);
    expect(*root, "no cgroup v2 is mounted");
}

static void enter(const char *cgroup) {
    char path[PATH_MAX + 16];
    int fd;

    snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    fd = (int)need(open(path, O_WRONLY | O_CLOEXEC));
    need(write(fd, "0", 1));
    close(fd);
}

static void clear(void) {
    enter(root);
    rmdir(pod);
    rmdir(own);
}

void pod_make(void) {
    find_root();
    snprintf(own, sizeof own, "%s/migrun-test-native-%d", root, getpid());
    snprintf(pod, sizeof pod, "%s/pod", own);
    need(mkdir(own, 0755));
    atexit(clear);
    need(mkdir(pod, 0755));
    enter(own);
}

void pod_enter(void) { enter(pod); }

void pod_leave(void) { enter(own); }

const char *pod_path(void) { return pod; }

const char *own_path(void) { return own; }
