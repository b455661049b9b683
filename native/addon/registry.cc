/* NativeRegistry of src/native/registry.ts: conversion only, the mechanics are in native/registry/. */

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

/* All that one of the registry's functions lists; there may be fewer by the second call. */
template <typename Item>
static std::vector<Item> list(size_t (*function)(struct registry_mapping *, Item *, size_t),
                              struct registry_mapping *registry) {
    std::vector<Item> items(function(registry, nullptr, 0));
    items.resize(std::min(function(registry, items.data(), items.size()), items.size()));
    return items;
}

static const char *const hidden_names[] = {
    "group-program", "multicast-index",  "multicast-stream", "fragment-size",
    "packet-info",   "flow-label",       "anycast",          "policy",
    "keys",          "zerocopy-numbers", "syn-read",
};
static_assert(sizeof hidden_names / sizeof *hidden_names == HIDDEN_OPTIONS, "one name each");

static Napi::Value hidden_options(Napi::Env env, struct registry_mapping *registry) {
    std::vector<struct registry_hidden_socket> sockets = list(registry_list_hidden, registry);
    std::vector<struct registry_group> groups = list(registry_list_groups, registry);
    auto from_socket = [env](const struct registry_hidden_socket &socket) {
        return from_members(env, {{"inode", socket.inode}, {"options", from_bits(env, socket.options, hidden_names)}});
    };
    auto from_group = [env](const struct registry_group &group) {
        return from_members(env, {{"protocol", group.protocol}, {"port", group.port}});
    };

    return from_members(env, {{"sockets", from_items(env, sockets.data(), sockets.size(), from_socket)},
                              {"groups", from_items(env, groups.data(), groups.size(), from_group)}});
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

    check(env, registry_map(integer(info[0]), &mapped), "mmap");
    auto mapping = std::make_shared<std::shared_ptr<struct registry_mapping>>(mapped, registry_unmap);
    Napi::Object object = Napi::Object::New(env);
    auto offer = [&object, mapping](const char *name, auto function) {
        add(object, name, [mapping, function](const Napi::CallbackInfo &call) {
            return function(call, open_registry(call.Env(), mapping));
        });
    };
    using Call = const Napi::CallbackInfo &;
    using Registry = struct registry_mapping *;
    offer("beginFreeze", [](Call, Registry registry) { registry_begin_freeze(registry); });
    offer("endFreeze", [](Call, Registry registry) { registry_end_freeze(registry); });
    offer("inodes", [](Call call, Registry registry) -> Napi::Value {
        return from_numbers(call.Env(), list(registry_list, registry));
    });
    offer("hasTimeouts", [](Call call, Registry registry) -> Napi::Value {
        return Napi::Boolean::New(call.Env(), registry_has_timeouts(registry));
    });
    offer("hiddenOptions", [](Call call, Registry registry) { return hidden_options(call.Env(), registry); });
    offer("moveInodes", [](Call call, Registry registry) { move_inodes(call.Env(), registry, call[0]); });
    offer("sweep", [](Call call, Registry registry) { sweep(call.Env(), registry, call[0]); });
    add(object, "close", [mapping](Call) { mapping->reset(); });
    return object;
}

static Napi::Value watch_events(const Napi::CallbackInfo &info) {
    auto callback = std::make_shared<Callback>(info[1], "migrun.watchEvents");

    return watch_object(Poller::open(info.Env(), integer(info[0]), [callback](Poller &poller, int) {
        eventfd_t changes;
        if (eventfd_read(poller.fd(), &changes) == 0) callback->call({});
    }));
}

void register_registry(Napi::Env, Napi::Object exports) {
    add(exports, "mapRegistry", map_registry);
    add(exports, "watchEvents", watch_events);
}
