/*
 * What migrun-init tells the supervisor through its report pipe, and the one signal that it takes for itself.
 *
 * The pipe carries INIT_STEP_STARTED with init's pid (as the supervisor's namespace sees it), and one more record
 * for each step that failed. It ends when the program has been executed or has failed to be.
 */
#pragma once

#include <signal.h>
#include <stdint.h>

enum init_step {
    INIT_STEP_STARTED = 0,
    INIT_STEP_CGROUP = 1,
    INIT_STEP_NAMESPACE = 2,
    INIT_STEP_FORK = 3,
    INIT_STEP_SESSION = 4,
    INIT_STEP_REGISTRY = 5,
    INIT_STEP_STDIO = 6,
    INIT_STEP_EXEC = 7,
    INIT_STEP_DIRECTORY = 8,
};

struct init_report {
    int32_t pid;
    int32_t step;
    int32_t error;
};

/* Asks init to close its end of the program's stdin, so that the program sees end of file. */
#define INIT_SIGNAL_CLOSE_STDIN SIGRTMAX
