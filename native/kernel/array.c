#include "kernel/array.h"

#include <stdlib.h>

void *array_grow(void *items, size_t count, size_t size) {
    return count & (count - 1) ? items : reallocarray(items, count ? 2 * count : 1, size);
}
