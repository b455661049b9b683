/* Finding libc's own functions. */
#include <dlfcn.h>

#include "shim.h"

struct libc_calls libc;

/* Stands in for what this libc does not have. Called through pointers of all types, as every Linux ABI of ours allows:
 * it looks at no argument. */
static long missing(void) {
    errno = ENOSYS;
    return -1;
}

static void *find(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);

    return function ? function : (void *)missing;
}

void libc_bind(void) {
#define CALL(result, name, parameters, arguments) *(void **)&libc.name = find(#name);
#define VARIANT(result, name, of, parameters, arguments)
#define VARIADIC(result, name, parameters)
#include "calls.h"
    /* Since glibc 2.34. */
    if ((void *)libc._Fork == (void *)missing) libc._Fork = libc.fork;
}
