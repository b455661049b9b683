/* /proc/locks names the file of each lock MAJOR:MINOR:INODE, as stat(2) tells them: of flock, POSIX and OFD locks and leases.
 *
 * Source: lock_get_status() in fs/locks.c prints the device's numbers in hexadecimal, two digits at least, and the inode in
 * decimal. Only locks of processes that the reader's PID namespace knows are there (locks_translate_pid()), and OFD locks.
 * Relied on by: the target's judgement of an arrival: a lock that a program has must be free there. */
#include "harness/result.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static bool is_listed(const char *name) {
    char line[256];
    bool found = false;
    FILE *locks = fopen("/proc/locks", "re");

    expect(locks, "there is no /proc/locks");
    while (fgets(line, sizeof(line), locks)) found |= strstr(line, name) != NULL;
    fclose(locks);
    return found;
}

static int lock_flock(int fd) { return flock(fd, LOCK_EX); }

static int lock_posix(int fd) { return fcntl(fd, F_SETLK, &(struct flock){.l_type = F_WRLCK}); }

static int lock_ofd(int fd) { return fcntl(fd, F_OFD_SETLK, &(struct flock){.l_type = F_WRLCK}); }

static int lease(int fd) { return fcntl(fd, F_SETLEASE, F_WRLCK); }

static const struct {
    const char *name;
    int (*lock)(int fd);
} kinds[] = {{"flock", lock_flock}, {"posix", lock_posix}, {"ofd", lock_ofd}, {"lease", lease}};

static void body(void) {
    for (unsigned int i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        char path[256], name[64];
        struct stat found;
        int fd;

        snprintf(path, sizeof(path), "%s/%s", work_folder(), kinds[i].name);
        fd = need(open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        need(fstat(fd, &found));
        snprintf(name, sizeof(name), " %02x:%02x:%ju ", major(found.st_dev), minor(found.st_dev),
                 (uintmax_t)found.st_ino);
        expect(!is_listed(name), "a file without a lock is listed");
        need(kinds[i].lock(fd));
        expect(is_listed(name), "a file with a lock (%s) is not listed as%s", kinds[i].name, name);
        close(fd);
        expect(!is_listed(name), "a lock (%s) that is no more is listed", kinds[i].name);
    }
    holds("flock, POSIX and OFD locks, and a lease");
}

int main(void) { return check(body); }
