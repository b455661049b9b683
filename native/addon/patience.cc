/* NativePatience of src/native/contract.ts: conversion only, the mechanics are in tcp_patience.c. */

#include "batch.h"
#include "register.h"
#include "values.h"

#include <vector>

extern "C" {
#include "tcp/user_timeout.h"
}

static Napi::Value user_timeouts(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    std::vector<uint32_t> timeouts(fds.size());
    struct failure failure = {};
    check(info.Env(), tcp_user_timeouts_get(fds.data(), fds.size(), timeouts.data(), &failure), failure);
    Napi::Array out = Napi::Array::New(info.Env(), timeouts.size());
    for (size_t i = 0; i < timeouts.size(); i++) out.Set(uint32_t(i), Napi::Number::New(info.Env(), timeouts[i]));
    return out;
}

/* One timeout for each descriptor. */
static std::vector<uint32_t> to_timeouts(const Napi::Value &array, size_t count) {
    std::vector<uint32_t> timeouts = to_numbers(array);
    if (timeouts.size() != count) throw Napi::TypeError::New(array.Env(), "one timeout for each socket is required");
    return timeouts;
}

static void set_user_timeouts(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    std::vector<uint32_t> timeouts = to_timeouts(info[1], fds.size());
    struct failure failure = {};
    check(info.Env(), tcp_user_timeouts_set(fds.data(), fds.size(), timeouts.data(), &failure), failure);
}

static void give_patience(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    std::vector<uint32_t> own = to_timeouts(info[1], fds.size());
    uint32_t lease = info[2].ToNumber().Uint32Value();
    struct failure failure = {};
    check(info.Env(), tcp_patience_give(fds.data(), fds.size(), lease, own.data(), &failure), failure);
}

static Napi::Value is_window_shut(const Napi::CallbackInfo &info) {
    bool shut;
    check(info.Env(), tcp_window_is_shut(info[0].ToNumber().Int32Value(), &shut), "TCP_INFO");
    return Napi::Boolean::New(info.Env(), shut);
}

static void open_windows(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    struct failure failure = {};
    check(info.Env(), tcp_window_open_all(fds.data(), fds.size(), &failure), failure);
}

void register_patience(Napi::Env env, Napi::Object exports) {
    exports.Set("userTimeouts", Napi::Function::New(env, user_timeouts, "userTimeouts"));
    exports.Set("setUserTimeouts", Napi::Function::New(env, set_user_timeouts, "setUserTimeouts"));
    exports.Set("givePatience", Napi::Function::New(env, give_patience, "givePatience"));
    exports.Set("isWindowShut", Napi::Function::New(env, is_window_shut, "isWindowShut"));
    exports.Set("openWindows", Napi::Function::New(env, open_windows, "openWindows"));
}
