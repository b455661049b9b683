/* NativeEpoll of src/native/epoll.ts: conversion only, the mechanics are in native/epoll/. */

#include <algorithm>
#include <memory>
#include <vector>

#include "napi/register.h"
#include "napi/values.h"

extern "C" {
#include "epoll/edges.h"
}

namespace {

epoll_place to_place(const Napi::Value &value) {
    Napi::Object place = value.As<Napi::Object>();
    return {integer(place, "pid"), integer(place, "fd")};
}

Napi::Value look(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    std::vector<uint32_t> inodes = to_numbers(info[1]);
    std::sort(inodes.begin(), inodes.end());
    const epoll_still still = {inodes.data(), inodes.size(), info[2].As<Napi::Boolean>().Value()};
    epoll_note *found = nullptr;
    size_t count = 0;
    int result = epoll_look(to_place(info[0]), &still, &found, &count);
    std::unique_ptr<epoll_note, decltype(&free)> notes(found, free);
    check(env, result, "epoll_wait");
    Napi::Array out = Napi::Array::New(env, count);
    for (size_t i = 0; i < count; i++) {
        Napi::Object one = Napi::Object::New(env);
        one.Set("fd", Napi::Number::New(env, found[i].fd));
        one.Set("told", Napi::Number::New(env, found[i].told));
        one.Set("isDisarmed", Napi::Boolean::New(env, found[i].is_disarmed));
        out.Set(uint32_t(i), one);
    }
    return out;
}

void settle(const Napi::CallbackInfo &info) {
    Napi::Array given = info[1].As<Napi::Array>();
    std::vector<epoll_note> notes;

    for (uint32_t i = 0; i < given.Length(); i++) {
        Napi::Object one = given.Get(i).As<Napi::Object>();
        notes.push_back({integer(one, "fd"), static_cast<uint32_t>(integer(one, "told")),
                         one.Get("isDisarmed").As<Napi::Boolean>().Value()});
    }
    check(info.Env(), epoll_settle(to_place(info[0]), notes.data(), notes.size(), info[2].As<Napi::Boolean>().Value()),
          "epoll_wait");
}

} // namespace

void register_epoll(Napi::Env, Napi::Object exports) {
    add(exports, "epollLook", look);
    add(exports, "epollSettle", settle);
}
