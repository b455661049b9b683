/* The functions that the program gets in place of libc's. The assembler name keeps them apart from what the headers
 * declare, so a header's macro, attribute or redirection cannot change what is exported. */
#include "shim.h"

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
