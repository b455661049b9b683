/* The cases of the native socket functions, each run in a network namespace of its own that has only a loopback. */
#pragma once

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

struct test_case {
    const char *name;
    void (*run)(void);
};

/* Each file has one table, which ends with an empty name. */
extern const struct test_case lock_cases[], move_cases[], half_closed_cases[], socket_cases[], udp_cases[],
    accept_queue_cases[];

/* Ends the case as failed where the condition does not hold. */
#define expect(condition, ...)                                              \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                                   \
            fputc('\n', stderr);                                            \
            exit(1);                                                        \
        }                                                                   \
    } while (0)

/* Ends the case as failed where a call that it is not about returns below 0 (-1 with errno, or -errno). */
#define need(call) need_result((long)(call), #call, __FILE__, __LINE__)
long need_result(long result, const char *call, const char *file, int line);

/* Ends the case as failed where a native call does not return exactly this, 0 or -errno. */
#define returns(call, value) returns_result((call), (value), #call, __FILE__, __LINE__)
void returns_result(long result, long value, const char *call, const char *file, int line);
