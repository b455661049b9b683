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
    Napi::Object place = object(value, "place");
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
    return from_items(env, found, count, [env](const epoll_note &note) {
        return from_members(env, {{"fd", note.fd}, {"told", note.told}, {"isDisarmed", note.is_disarmed}});
    });
}

void settle(const Napi::CallbackInfo &info) {
    std::vector<epoll_note> notes = to_items(info[1], "notes", [](const Napi::Object &note) -> epoll_note {
        return {integer(note, "fd"), number(note, "told"), flag(note, "isDisarmed")};
    });

    check(info.Env(), epoll_settle(to_place(info[0]), notes.data(), notes.size(), info[2].As<Napi::Boolean>().Value()),
          "epoll_wait");
}

} // namespace

void register_epoll(Napi::Env, Napi::Object exports) {
    add(exports, "epollLook", look);
    add(exports, "epollSettle", settle);
}
