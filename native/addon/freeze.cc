/* NativeFreeze of src/native/freeze.ts: conversion only, the mechanics are in native/freeze/. */

#include <memory>
#include <string>

#include "napi/register.h"
#include "napi/values.h"

extern "C" {
#include "freeze/cgroup.h"
#include "freeze/ptrace.h"
#include "freeze/restart_calls.h"
}

/* A thread that takes longer is not about to stop: a rebind stops a peer for well under a millisecond. */
constexpr int kPtraceTimeoutMs = 1000;

static void freeze_cgroup(const Napi::CallbackInfo &info) {
    std::string path = info[0].As<Napi::String>();
    check(info.Env(), cgroup_freeze(path.c_str(), integer(info[1])), "cgroup.freeze");
}

static void thaw_cgroup(const Napi::CallbackInfo &info) {
    std::string path = info[0].As<Napi::String>();
    check(info.Env(), cgroup_thaw(path.c_str()), "cgroup.freeze");
}

static Napi::Value begin_calls_again(const Napi::CallbackInfo &info) {
    std::vector<int> pids = to_integers(info[0]);
    int count = check(info.Env(), restart_calls(pids.data(), pids.size()), "ptrace");
    return Napi::Number::New(info.Env(), count);
}

/* The handle releases once: by release(), else with the last reference to it. */
static Napi::Value freeze_by_ptrace(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    std::vector<int> pids = to_integers(info[0]);
    struct ptrace_freeze *made = nullptr;

    check(env, ptrace_freeze(pids.data(), pids.size(), kPtraceTimeoutMs, &made), "ptrace");
    auto owner = std::make_shared<std::shared_ptr<struct ptrace_freeze>>(made, ptrace_release);
    Napi::Object handle = Napi::Object::New(env);
    add(handle, "release", [owner](const Napi::CallbackInfo &) { owner->reset(); });
    return handle;
}

void register_freeze(Napi::Env, Napi::Object exports) {
    add(exports, "cgroupFreeze", freeze_cgroup);
    add(exports, "cgroupThaw", thaw_cgroup);
    add(exports, "ptraceFreeze", freeze_by_ptrace);
    add(exports, "restartCalls", begin_calls_again);
}
