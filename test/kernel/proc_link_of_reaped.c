/* A namespace's link in /proc/<pid>/ns that was found before its process was reaped, and is read after it, is EACCES.
 *
 * Source: proc_ns_readlink() in fs/proc/namespaces.c has no task to ask for, and takes that for a refusal. Other links of
 * the process (exe, cwd, those in fd) are ENOENT then.
 * Relied on by: whoever looks at a program that runs, whose processes come and go. */
#include "harness/result.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *name;
    int error;
} links[] = {{"ns/net", EACCES}, {"ns/pid", EACCES}, {"exe", ENOENT}, {"cwd", ENOENT}, {"fd/0", ENOENT}};

enum { LINKS = sizeof(links) / sizeof(*links) };

static void body(void) {
    char path[64], target[256];
    int found[LINKS];
    pid_t child = need(fork());

    if (child == 0)
        for (;;) pause();
    for (int i = 0; i < LINKS; i++) {
        snprintf(path, sizeof(path), "/proc/%d/%s", child, links[i].name);
        found[i] = need(open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC));
        expect(readlinkat(found[i], "", target, sizeof(target)) > 0, "%s cannot be read: %s", links[i].name,
               strerror(errno));
    }
    need(kill(child, SIGKILL));
    need(waitpid(child, NULL, 0));
    for (int i = 0; i < LINKS; i++) {
        expect(readlinkat(found[i], "", target, sizeof(target)) < 0, "%s of a process that is gone can be read",
               links[i].name);
        expect(errno == links[i].error, "%s: %s", links[i].name, strerror(errno));
    }
    holds("two namespaces, and three other links");
}

int main(void) { return check(body); }
