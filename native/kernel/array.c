#include "kernel/array.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void *array_grow(void *items, size_t count, size_t size) {
    return count & (count - 1) ? items : reallocarray(items, count ? 2 * count : 1, size);
}

int array_compare32(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

    return (a > b) - (a < b);
}

int array_compare64(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

void *array_sorted(const void *items, size_t count, size_t size, int (*compare)(const void *, const void *)) {
    void *copy = malloc(count ? count * size : 1);

    if (copy && count) {
        memcpy(copy, items, count * size);
        qsort(copy, count, size, compare);
    }
    return copy;
}
