/* criu keeps its cache of the kernel's features, /run/criu.kdat, only where /run is a tmpfs.
 *
 * Source: CRIU 4.2, kerndat_save_cache() in criu/kerndat.c.
 * Relied on by: tools/setup. Without its cache criu probes the kernel at every start. */
#include "harness/criu.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <linux/magic.h>
#include <unistd.h>

static int check_once(void) { return finish(criu_start((const char *[]){"check", NULL})); }

static void body(void) {
    char folder[128];
    struct statfs info;
    struct stat first, second;

    hosts_up();
    snprintf(folder, sizeof(folder), "%s/run", work_folder());
    need(mkdir(folder, 0755));
    need(statfs(folder, &info));
    if (info.f_type == TMPFS_MAGIC) missing("the work folder is on a tmpfs itself");
    need(mount(folder, "/run", NULL, MS_BIND, NULL));
    check_once();
    expect(access("/run/criu.kdat", F_OK) != 0, "kept on a /run that is no tmpfs");
    need(mount("tmpfs", "/run", "tmpfs", 0, NULL));
    check_once();
    expect(!stat("/run/criu.kdat", &first), "not kept on a tmpfs");
    check_once();
    need(stat("/run/criu.kdat", &second));
    expect(first.st_ino == second.st_ino && first.st_mtim.tv_nsec == second.st_mtim.tv_nsec,
           "made again though it was there");
    holds("none on another file system; on a tmpfs kept, and used by the next start");
}

int main(void) { return check(body); }
