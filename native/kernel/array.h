/* Arrays that grow by one item at a time, malloc'd, with a count beside them and no capacity; and arrays in order. */
#pragma once

#include <stddef.h>

/**
 * Makes room for one more item of `size` bytes in an array that has `count`, and has only grown in this way: there is
 * room up to the next power of two. NULL, count 0: a new one. Returns the array, which may have moved and is the
 * caller's to free(3); NULL without memory, and `items` is as it was.
 */
void *array_grow(void *items, size_t count, size_t size);

/** Orders items that begin with a uint32_t, or with a uint64_t, by that: for qsort(3), bsearch(3), tsearch(3). */
int array_compare32(const void *left, const void *right);
int array_compare64(const void *left, const void *right);

/** A copy in order, which is the caller's to free(3); NULL: no memory. */
void *array_sorted(const void *items, size_t count, size_t size, int (*compare)(const void *, const void *));
