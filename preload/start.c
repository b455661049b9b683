/* The shim's start in each new program image. */
#include <sched.h>

#include "descriptors.h"
#include "process.h"
#include "shim.h"

_Atomic bool shim_started;
struct registry *registry;

static struct registry_signs no_signs;
struct registry_signs *signs = &no_signs;

static int arrive(int fd, void *context) {
    (void)context;
    table_arrival(fd);
    return 0;
}

static void start(void) {
    libc_bind();
    if (protected_find(&registry) < 0) return;
    view.first = registry;
    signs = &registry->signs;
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
