/*
 * One call that a freeze may disturb.
 *
 * A freeze, and a restore on another host, end some calls too early: with EINTR, or with a smaller count (signal(7)).
 * The registry counts freezes, and signals.c the handlers of the program that ran. Where a call was cut short, a freeze
 * came and no handler ran, only the freeze was the reason: the call is made again, or goes on with the rest.
 */
#pragma once

#include "registry/protected.h"
#include "shim.h"
#include "signals.h"

/* What the world was like before the call. */
struct attempt {
    uint32_t freezes;
    uint32_t handlers;
    int error;
};

static inline struct attempt attempt_begin(void) {
    return (struct attempt){
        .freezes = atomic_load_explicit(freezes, memory_order_relaxed),
        .handlers = handlers_run,
        .error = errno,
    };
}

/* A freeze touched the call, and no handler of the program did. */
static inline bool attempt_frozen(const struct attempt *attempt) {
    uint32_t now = atomic_load(freezes);

    return (now != attempt->freezes || (now & 1)) && handlers_run == attempt->handlers;
}

/* After a failure: whether to make the call again, because only a freeze was the reason. Then errno is as before it. */
static inline bool attempt_again(const struct attempt *attempt) {
    if (errno != EINTR || !attempt_frozen(attempt)) return false;
    errno = attempt->error;
    return true;
}

/* What a call gives that is made again, as `again`, as long as only a freeze was the reason for its failure. */
#define ATTEMPT_THEN(attempt, call, again)                                   \
    ({                                                                       \
        __typeof__(call) attempted = (call);                                 \
        while (attempted < 0 && attempt_again(attempt)) attempted = (again); \
        attempted;                                                           \
    })

/* Makes the call again as it is, for as long as only a freeze has ended it. */
#define ATTEMPT(attempt, call) ATTEMPT_THEN(attempt, call, call)
