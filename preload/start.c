/* The shim's start in each new program image, and the functions that the program gets in place of libc's. */
#include <dlfcn.h>
#include <sched.h>

#include "calls/process.h"
#include "registry/descriptors.h"
#include "registry/protected.h"
#include "registry/table.h"
#include "shim.h"

_Atomic bool shim_started;
struct libc_calls libc;

/* Stands in for what this libc does not have. It is called through pointers of all types, as every Linux ABI of ours allows,
 * since it looks at no argument. */
static long missing(void) {
    errno = ENOSYS;
    return -1;
}

static void *find(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);

    return function ? function : (void *)missing;
}

static void bind_libc(void) {
#define CALL(result, name, parameters, arguments) *(void **)&libc.name = find(#name);
#define VARIANT(result, name, of, parameters, arguments)
#define VARIADIC(result, name, parameters)
#include "calls.h"
    /* glibc has it since 2.34. */
    if ((void *)libc._Fork == (void *)missing) libc._Fork = libc.fork;
}

static int arrive(int fd, void *context) {
    (void)context;
    table_arrival(fd);
    return 0;
}

static void start(void) {
    bind_libc();
    if (!protected_find()) return;
    process_start();
    each_descriptor(arrive, NULL);
}

/* Other libraries' constructors may come before ours, and call what is wrapped; so may, in the middle of our start, an
 * allocator that replaces libc's. */
__attribute__((constructor)) void shim_start(void) {
    static _Atomic bool claimed;
    static __thread bool starting __attribute__((tls_model("initial-exec")));
    int error = errno;

    if (starting) return;
    if (!atomic_exchange(&claimed, true)) {
        starting = true;
        start();
        atomic_store_explicit(&shim_started, true, memory_order_release);
        starting = false;
    }
    while (!atomic_load(&shim_started)) sched_yield();
    errno = error;
}

/* The assembler name keeps these apart from what the headers declare, so a header's macro, attribute or redirection cannot
 * change what is exported. */
#define EXPORT(result, name, of, parameters, arguments)                                         \
    __attribute__((visibility("default"))) result exported_##name parameters __asm__(#name);    \
    result exported_##name parameters {                                                         \
        if (unlikely(!atomic_load_explicit(&shim_started, memory_order_acquire))) shim_start(); \
        return shim_##of arguments;                                                             \
    }
#define CALL(result, name, parameters, arguments) EXPORT(result, name, name, parameters, arguments)
#define VARIANT(result, name, of, parameters, arguments) EXPORT(result, name, of, parameters, arguments)
#define VARIADIC(result, name, parameters)
#include "calls.h"
