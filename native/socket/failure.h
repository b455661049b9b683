/* Where a batch stopped. Filled only by a call that returns a negative errno. */
#pragma once

#include <stddef.h>

struct failure {
    size_t index;     /* into the caller's array */
    const char *step; /* the kernel call or option that refused; static storage */
};
