/* Running criu: $MIGRUN_CRIU, or the one tools/setup made. Ends the body with MISSING where there is none.
 * Images are in work_folder()/images; a failure's last log lines go to stderr. */
#ifndef MIGRUN_TEST_KERNEL_CRIU_H
#define MIGRUN_TEST_KERNEL_CRIU_H

#include <sys/types.h>

/* Starts criu with these arguments (the last one NULL). Returns its PID. */
pid_t criu_start(const char *const *arguments);

/* Waits for its end and ends the body where it failed; log is its file in the images' folder. */
void criu_finish(pid_t criu, const char *log);

/* `criu dump` of the process and all below it, with the options that migrun gives: sockets closed, the
 * frozen cgroup (NULL: the program's own) left as it is. Ends the body where criu fails. */
void criu_dump(pid_t pid, const char *frozen_cgroup);

/* `criu restore`, detached, of what was dumped. Returns the PID that the restored root has here. */
pid_t criu_restore(void);

/* Restores what was dumped, and keeps criu in its pre-resume stage, where it has restored all and let none of it run
 * yet. */
struct criu_restore {
    pid_t criu, root;
    int go;
};
struct criu_restore criu_restore_held(void);
void criu_release(struct criu_restore *restore);

/* A range of fds, from first to last. */
struct fds {
    int first, last;
};
#define NO_FDS ((struct fds){3, 2})

/* Makes the program's cgroup and starts a process in it as criu likes it: PID 1 of a PID namespace of its own, session leader,
 * stdin to stderr /dev/null, no other fds but those to keep. Returns its PID here. */
pid_t start_program(int (*task)(void *argument), void *argument, struct fds keep);

/* Returns a descriptor, here, of the process's own fd. */
int fd_of(pid_t pid, int fd);

#endif
