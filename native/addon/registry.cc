/* NativeRegistry of src/native/contract.ts: conversion only, the mechanics are in native/registry.c. */

#include <sys/eventfd.h>

#include <memory>
#include <vector>

#include "napi/poller.h"
#include "napi/register.h"
#include "napi/values.h"

extern "C" {
#include "registry/registry.h"
}

/* Unmapped by close(), else with the last of the object's functions. */
using Mapping = std::shared_ptr<std::shared_ptr<struct registry_mapping>>;

static struct registry_mapping *open_registry(Napi::Env env, const Mapping &mapping) {
    if (!*mapping) fail(env, -EBADF, "mmap");
    return mapping->get();
}

static uint64_t inode(const Napi::Value &value) { return static_cast<uint64_t>(value.As<Napi::Number>().Int64Value()); }

static Napi::Value inodes(Napi::Env env, struct registry_mapping *registry) {
    std::vector<uint64_t> found(registry_list(registry, nullptr, 0));
    size_t count = std::min(registry_list(registry, found.data(), found.size()), found.size());
    Napi::Array array = Napi::Array::New(env, count);

    for (size_t i = 0; i < count; i++)
        array.Set(static_cast<uint32_t>(i), Napi::Number::New(env, static_cast<double>(found[i])));
    return array;
}

static const char *const hidden_names[] = {
    "group-program", "multicast-index",  "multicast-stream", "fragment-size",
    "packet-info",   "flow-label",       "anycast",          "policy",
    "keys",          "zerocopy-numbers", "syn-read",
};
static_assert(sizeof hidden_names / sizeof *hidden_names == HIDDEN_OPTIONS, "one name each");

static Napi::Array names_of(Napi::Env env, uint32_t options) {
    Napi::Array names = Napi::Array::New(env);

    for (uint32_t i = 0; i < HIDDEN_OPTIONS; i++)
        if (options & 1u << i) names.Set(names.Length(), Napi::String::New(env, hidden_names[i]));
    return names;
}

static Napi::Value hidden_options(Napi::Env env, struct registry_mapping *registry) {
    std::vector<struct registry_hidden_socket> sockets(registry_list_hidden(registry, nullptr, 0));
    std::vector<struct registry_group> groups(registry_list_groups(registry, nullptr, 0));
    Napi::Array of_sockets = Napi::Array::New(env), of_groups = Napi::Array::New(env);
    Napi::Object result = Napi::Object::New(env);

    sockets.resize(std::min(registry_list_hidden(registry, sockets.data(), sockets.size()), sockets.size()));
    groups.resize(std::min(registry_list_groups(registry, groups.data(), groups.size()), groups.size()));
    for (const auto &socket : sockets) {
        Napi::HandleScope scope(env);
        Napi::Object item = Napi::Object::New(env);
        item.Set("inode", Napi::Number::New(env, static_cast<double>(socket.inode)));
        item.Set("options", names_of(env, socket.options));
        of_sockets.Set(of_sockets.Length(), item);
    }
    for (const auto &group : groups) {
        Napi::HandleScope scope(env);
        Napi::Object item = Napi::Object::New(env);
        item.Set("protocol", Napi::Number::New(env, group.protocol));
        item.Set("port", Napi::Number::New(env, group.port));
        of_groups.Set(of_groups.Length(), item);
    }
    result.Set("sockets", of_sockets);
    result.Set("groups", of_groups);
    return result;
}

/* [from, to] each. */
static void move_inodes(Napi::Env env, struct registry_mapping *registry, const Napi::Value &pairs) {
    Napi::Array array = pairs.As<Napi::Array>();
    std::vector<struct registry_move> moves;

    for (uint32_t i = 0; i < array.Length(); i++) {
        Napi::HandleScope scope(env);
        Napi::Array pair = array.Get(i).As<Napi::Array>();
        moves.push_back({inode(pair.Get(0u)), inode(pair.Get(1u))});
    }
    check(env, registry_move_inodes(registry, moves.data(), moves.size()), "malloc");
}

static void sweep(Napi::Env env, struct registry_mapping *registry, const Napi::Value &alive) {
    std::vector<uint32_t> numbers = to_numbers(alive);
    std::vector<uint64_t> open(numbers.begin(), numbers.end());

    check(env, registry_sweep(registry, open.data(), open.size()), "malloc");
}

static Napi::Value map_registry(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    struct registry_mapping *mapped = nullptr;

    check(env, registry_map(info[0].As<Napi::Number>().Int32Value(), &mapped), "mmap");
    auto mapping = std::make_shared<std::shared_ptr<struct registry_mapping>>(mapped, registry_unmap);
    Napi::Object object = Napi::Object::New(env);
    auto offer = [&](const char *name, auto function) {
        object.Set(name, Napi::Function::New(
                             env,
                             [mapping, function](const Napi::CallbackInfo &call) -> Napi::Value {
                                 return function(call, open_registry(call.Env(), mapping));
                             },
                             name));
    };
    offer("beginFreeze", [](const Napi::CallbackInfo &call, struct registry_mapping *registry) {
        registry_begin_freeze(registry);
        return call.Env().Undefined();
    });
    offer("endFreeze", [](const Napi::CallbackInfo &call, struct registry_mapping *registry) {
        registry_end_freeze(registry);
        return call.Env().Undefined();
    });
    offer("inodes", [](const Napi::CallbackInfo &call, struct registry_mapping *registry) {
        return inodes(call.Env(), registry);
    });
    offer("hasTimeouts", [](const Napi::CallbackInfo &call, struct registry_mapping *registry) {
        return Napi::Boolean::New(call.Env(), registry_has_timeouts(registry));
    });
    offer("hiddenOptions", [](const Napi::CallbackInfo &call, struct registry_mapping *registry) {
        return hidden_options(call.Env(), registry);
    });
    offer("moveInodes", [](const Napi::CallbackInfo &call, struct registry_mapping *registry) {
        move_inodes(call.Env(), registry, call[0]);
        return call.Env().Undefined();
    });
    offer("sweep", [](const Napi::CallbackInfo &call, struct registry_mapping *registry) {
        sweep(call.Env(), registry, call[0]);
        return call.Env().Undefined();
    });
    object.Set("close", Napi::Function::New(
                            env, [mapping](const Napi::CallbackInfo &) { mapping->reset(); }, "close"));
    return object;
}

static Napi::Value watch_events(const Napi::CallbackInfo &info) {
    auto callback = std::make_shared<Callback>(info[1], "migrun.watchEvents");

    return watch_object(
        Poller::open(info.Env(), info[0].As<Napi::Number>().Int32Value(), [callback](Poller &poller, int) {
            eventfd_t changes;
            if (eventfd_read(poller.fd(), &changes) == 0) callback->call({});
        }));
}

void register_registry(Napi::Env env, Napi::Object exports) {
    exports.Set("mapRegistry", Napi::Function::New(env, map_registry, "mapRegistry"));
    exports.Set("watchEvents", Napi::Function::New(env, watch_events, "watchEvents"));
}
