/* What the batch calls on sockets have in common (sockets.cc, udp.cc, patience.cc). */
#pragma once

#include <napi.h>

#include <vector>

#include "values.h"

extern "C" {
#include "socket/failure.h"
}

/** The error of a batch also says in `index` which item it was. */
inline void check(Napi::Env env, int result, const struct failure &failure) {
    try {
        check(env, result, failure.step);
    } catch (Napi::Error &error) {
        error.Set("index", Napi::Number::New(env, double(failure.index)));
        throw;
    }
}

inline std::vector<int> to_integers(const Napi::Value &array) {
    std::vector<uint32_t> numbers = to_numbers(array);
    return std::vector<int>(numbers.begin(), numbers.end());
}
