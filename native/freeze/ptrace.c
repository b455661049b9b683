#include "freeze/ptrace.h"

#include "kernel/array.h"
#include "kernel/files.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

int ptrace_await_stop(pid_t tid) {
    siginfo_t info;
    int result;

    do result = waitid(P_PID, (id_t)tid, &info, WSTOPPED | WEXITED | WNOWAIT | __WALL);
    while (result < 0 && errno == EINTR);
    return result < 0 ? -errno : 0;
}

int ptrace_take_stop(pid_t tid, int *signal) {
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)tid, &info, WSTOPPED | WNOHANG | __WALL) < 0 || info.si_code != CLD_TRAPPED) return 0;
    /*
     * A ptrace event (PTRACE_EVENT_STOP here) is above the low byte; where there is none, a signal is being delivered.
     */
    *signal = info.si_status >> 8 ? 0 : info.si_status;
    return 1;
}

size_t ptrace_read_file(pid_t tid, const char *name, char *text, size_t room) {
    char path[48];
    size_t length = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)tid, name);
    file = fopen(path, "re");
    if (file) {
        length = fread(text, 1, room - 1, file);
        fclose(file);
    }
    text[length] = '\0';
    return length;
}

int ptrace_each_thread(pid_t pid, int (*one)(pid_t tid, void *context), void *context) {
    char path[32];
    int sum = 0, result = 0;

    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    DIR *tasks = opendir(path);
    if (!tasks) return errno == ENOENT ? 0 : -errno;
    for (struct dirent *entry; result >= 0 && (entry = readdir(tasks));) {
        if (entry->d_name[0] == '.') continue;
        result = one(atoi(entry->d_name), context);
        sum += result;
    }
    closedir(tasks);
    return result < 0 ? result : sum;
}

struct tracee {
    pid_t tid;
    bool stopped;
    /* What PTRACE_DETACH has to deliver: the signal whose delivery the stop interrupted. */
    int signal;
};

struct ptrace_freeze {
    pthread_t tracer;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* Under the mutex: whether the tracer knows its result, and whether it shall end. */
    bool decided, released;
    int result;
    /* The tracer's own. */
    struct tracee *tracees;
    size_t count;
    size_t pid_count;
    pid_t pids[];
};

static struct tracee *find_tracee(struct ptrace_freeze *freeze, pid_t tid) {
    for (size_t i = 0; i < freeze->count; i++)
        if (freeze->tracees[i].tid == tid) return &freeze->tracees[i];
    return NULL;
}

static struct tracee *add_tracee(struct ptrace_freeze *freeze, pid_t tid) {
    struct tracee *tracee = find_tracee(freeze, tid);

    if (!tracee) {
        tracee = array_grow(freeze->tracees, freeze->count, sizeof *tracee);
        if (!tracee) return NULL;
        freeze->tracees = tracee;
        tracee += freeze->count++;
    }
    *tracee = (struct tracee){.tid = tid};
    return tracee;
}

/* Whether it has ended: until it is reaped it stays listed as a thread. */
static bool has_ended(pid_t tid) {
    char line[512];

    ptrace_read_file(tid, "stat", line, sizeof line);
    const char *state = strrchr(line, ')');
    return !state || strlen(state) < 3 || state[2] == 'Z' || state[2] == 'X';
}

static bool is_stopped(pid_t tid) {
    unsigned long message;

    return ptrace(PTRACE_GETEVENTMSG, tid, NULL, &message) == 0;
}

/* Asks one thread to stop. Returns 0 where it is stopped already, or gone; else 1. */
static int interrupt(pid_t tid, void *context) {
    struct ptrace_freeze *freeze = context;

    if (find_tracee(freeze, tid) && is_stopped(tid)) return 0;
    if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) < 0) {
        if (errno == ESRCH) return 0;
        if (errno != EPERM) return -errno;
        if (has_ended(tid)) return 0;
        /* It is somebody else's tracee; or ours, having taken over the thread id of its process by execve(2). */
    }
    if (ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) < 0) return has_ended(tid) ? 0 : -EPERM;
    return add_tracee(freeze, tid) ? 1 : -ENOMEM;
}

/* Waits until the thread has stopped or ended, and takes the stop. An end is passed on by the tracer's end
 * (__ptrace_detach). This is the one place where the tracer can be cancelled. */
static int wait_stop(struct tracee *tracee) {
    int result;

    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    result = ptrace_await_stop(tracee->tid);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    if (result < 0) return result == -ECHILD ? 0 : result;
    tracee->stopped = ptrace_take_stop(tracee->tid, &tracee->signal);
    return 0;
}

/* A thread that runs may make others, so this goes on until a pass finds none that has to be stopped. */
static int stop_all(struct ptrace_freeze *freeze) {
    int asked = 1;

    while (asked > 0) {
        asked = 0;
        for (size_t i = 0; i < freeze->pid_count; i++) {
            int result = ptrace_each_thread(freeze->pids[i], interrupt, freeze);
            if (result < 0) return result;
            asked |= result;
        }
        for (size_t i = 0; i < freeze->count; i++) {
            if (freeze->tracees[i].stopped) continue;
            int result = wait_stop(&freeze->tracees[i]);
            if (result < 0) return result;
        }
    }
    return 0;
}

/* What has not stopped is detached by the tracer's end. */
static void detach_stopped(void *argument) {
    struct ptrace_freeze *freeze = argument;

    for (size_t i = 0; i < freeze->count; i++) {
        struct tracee *tracee = &freeze->tracees[i];
        if (tracee->stopped) ptrace(PTRACE_DETACH, tracee->tid, NULL, (long)tracee->signal);
    }
}

/* Tells the result, and waits for the release if there is something to release. */
static void tell_and_wait(struct ptrace_freeze *freeze, int result) {
    pthread_mutex_lock(&freeze->mutex);
    freeze->result = result;
    freeze->decided = true;
    pthread_cond_broadcast(&freeze->changed);
    while (result == 0 && !freeze->released) pthread_cond_wait(&freeze->changed, &freeze->mutex);
    pthread_mutex_unlock(&freeze->mutex);
}

static void *trace(void *argument) {
    struct ptrace_freeze *freeze = argument;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_cleanup_push(detach_stopped, freeze);
    tell_and_wait(freeze, stop_all(freeze));
    pthread_cleanup_pop(1);
    return NULL;
}

static void destroy(struct ptrace_freeze *freeze) {
    pthread_cond_destroy(&freeze->changed);
    pthread_mutex_destroy(&freeze->mutex);
    free(freeze->tracees);
    free(freeze);
}

/* The tracer blocks all signals: the process's signals are for its other threads. */
static int start_tracer(struct ptrace_freeze *freeze) {
    sigset_t all, before;
    int error;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&freeze->tracer, NULL, trace, freeze);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

static int await_result(struct ptrace_freeze *freeze, int timeout_ms) {
    const struct timespec deadline = clock_time(clock_now(CLOCK_MONOTONIC) + timeout_ms * INT64_C(1000000));
    int error = 0, result;

    pthread_mutex_lock(&freeze->mutex);
    while (!freeze->decided && error == 0) error = pthread_cond_timedwait(&freeze->changed, &freeze->mutex, &deadline);
    result = freeze->decided ? freeze->result : -error;
    pthread_mutex_unlock(&freeze->mutex);
    return result;
}

void ptrace_release(struct ptrace_freeze *freeze) {
    pthread_mutex_lock(&freeze->mutex);
    freeze->released = true;
    pthread_cond_broadcast(&freeze->changed);
    pthread_mutex_unlock(&freeze->mutex);
    pthread_join(freeze->tracer, NULL);
    destroy(freeze);
}

int ptrace_freeze(const pid_t *pids, size_t count, int timeout_ms, struct ptrace_freeze **out) {
    struct ptrace_freeze *freeze = calloc(1, sizeof *freeze + count * sizeof *pids);
    pthread_condattr_t monotonic;
    int result;

    if (!freeze) return -ENOMEM;
    memcpy(freeze->pids, pids, count * sizeof *pids);
    freeze->pid_count = count;
    pthread_mutex_init(&freeze->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&freeze->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);

    result = start_tracer(freeze);
    if (result < 0) goto fail;
    result = await_result(freeze, timeout_ms);
    if (result == 0) {
        *out = freeze;
        return 0;
    }
    pthread_cancel(freeze->tracer);
    ptrace_release(freeze);
    return result;
fail:
    destroy(freeze);
    return result;
}
