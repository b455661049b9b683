/* Running criu: $MIGRUN_CRIU, or the one tools/setup made. Ends the body with MISSING where there is none.
 * Images are in work_folder()/images; a failure's last log lines go to stderr. */
#ifndef MIGRUN_TEST_KERNEL_CRIU_H
#define MIGRUN_TEST_KERNEL_CRIU_H

#include <sys/types.h>

/* Starts criu with these arguments (the last one NULL). Returns its PID. */
pid_t criu_start(const char *const *arguments);

/* `criu dump` of the process and all below it, with the options that migrun gives: sockets closed, the
 * frozen cgroup (NULL: the program's own) left as it is. Ends the body where criu fails. */
void criu_dump(pid_t pid, const char *frozen_cgroup);

/* `criu restore`, detached, of what was dumped. Returns the PID that the restored root has here. */
pid_t criu_restore(void);

/* The same, held in its pre-resume stage, where it has restored all and let none of it run yet. */
struct criu_restore {
	pid_t criu, root;
	int go;
};
struct criu_restore criu_restore_held(void);
void criu_release(struct criu_restore *restore);

/* A process as criu likes it: a session of its own, stdin to stderr /dev/null. */
pid_t start_program(int (*task)(void *argument), void *argument);

/* The same as PID 1 of a PID namespace of its own. */
pid_t start_in_pid_namespace(int (*task)(void *argument), void *argument);

#endif
