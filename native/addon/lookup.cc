/* NativeLookup of src/native/lookup.ts: conversion only, the mechanics are in native/lookup/. */

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "napi/poller.h"
#include "napi/register.h"
#include "napi/values.h"

extern "C" {
#include "lookup/diag.h"
#include "lookup/owners.h"
}

/* A nullptr for `inodes` or `among` means all. */
static std::vector<struct owner> find_owners(Napi::Env env, const std::vector<uint32_t> *inodes,
                                             const std::vector<pid_t> *among) {
    struct owner *found = nullptr;
    size_t count = 0;
    static const uint32_t none = 0;
    static const pid_t nobody = 0;

    // An empty vector has no data to point to, and none are not all.
    const uint32_t *wanted = !inodes ? nullptr : inodes->empty() ? &none : inodes->data();
    const pid_t *pids = !among ? nullptr : among->empty() ? &nobody : among->data();
    check(env, owners_find(wanted, inodes ? inodes->size() : 0, pids, among ? among->size() : 0, &found, &count),
          "opendir");
    std::unique_ptr<struct owner, decltype(&free)> owners(found, free);
    return std::vector<struct owner>(found, found + count);
}

static Napi::Value from_owners(Napi::Env env, const std::vector<struct owner> &owners) {
    return from_items(env, owners.data(), owners.size(), [env](const struct owner &owner) {
        return from_members(env, {{"inode", owner.inode}, {"pid", owner.pid}, {"fd", owner.fd}});
    });
}

/* The processes that are named; nullptr where the value is undefined, for all. */
static std::unique_ptr<std::vector<pid_t>> to_among(const Napi::Value &pids) {
    if (pids.IsUndefined()) return nullptr;
    return std::make_unique<std::vector<pid_t>>(to_integers(pids));
}

static Napi::Value owners_of(const Napi::CallbackInfo &info) {
    std::vector<uint32_t> inodes = to_numbers(info[0]);
    return from_owners(info.Env(), find_owners(info.Env(), &inodes, to_among(info[1]).get()));
}

using Owners = std::vector<struct owner>;

/* `owners` are in the order of inodes. */
static std::pair<Owners::const_iterator, Owners::const_iterator> range_of(const Owners &owners, uint32_t inode) {
    auto by_inode = [](const struct owner &one, const struct owner &other) { return one.inode < other.inode; };
    return std::equal_range(owners.begin(), owners.end(), owner{.inode = inode, .pid = 0, .fd = 0}, by_inode);
}

static Napi::Value unchanged_owners(Napi::Env env, const Owners &seen, const Napi::Value &inodes) {
    Owners found;
    for (uint32_t inode : to_numbers(inodes)) {
        auto [from, to] = range_of(seen, inode);
        if (std::all_of(from, to, [](const struct owner &one) { return owner_is(&one); }))
            found.insert(found.end(), from, to);
    }
    return from_owners(env, found);
}

static Napi::Value owning_pids(Napi::Env env, const Owners &seen, const Napi::Value &inodes) {
    std::set<pid_t> pids;
    for (uint32_t inode : to_numbers(inodes)) {
        auto [from, to] = range_of(seen, inode);
        for (; from != to; ++from) pids.insert(from->pid);
    }
    return from_numbers(env, std::vector<pid_t>(pids.begin(), pids.end()));
}

static Napi::Value sets_of(Napi::Env env, const Owners &seen, const Napi::Value &processes) {
    std::vector<uint32_t> pids = to_numbers(processes);
    auto [from, to] = range_of(seen, OWNER_OF_EPOLL);
    Owners found;

    std::copy_if(from, to, std::back_inserter(found), [&pids](const struct owner &set) {
        return std::find(pids.begin(), pids.end(), static_cast<uint32_t>(set.pid)) != pids.end() && owner_is(&set);
    });
    return from_owners(env, found);
}

static Napi::Value look_around(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    auto seen = std::make_shared<Owners>(find_owners(env, nullptr, to_among(info[0]).get()));
    Napi::Object look = Napi::Object::New(env);

    std::sort(seen->begin(), seen->end(),
              [](const struct owner &one, const struct owner &other) { return one.inode < other.inode; });
    auto offer = [&look, seen](const char *name,
                               Napi::Value (*answer)(Napi::Env, const Owners &, const Napi::Value &)) {
        add(look, name, [seen, answer](const Napi::CallbackInfo &call) { return answer(call.Env(), *seen, call[0]); });
    };
    offer("owners", unchanged_owners);
    offer("pids", owning_pids);
    offer("sets", sets_of);
    return look;
}

static Napi::Value connection_inodes(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    auto to_ends = [](const Napi::Object &connection) -> struct diag_ends {
        return {to_address(connection.Get("local")), to_address(connection.Get("remote"))};
    };
    std::vector<struct diag_ends> ends = to_items(info[0], "connections", to_ends);
    std::vector<uint32_t> inodes(ends.size());

    check(env, diag_connection_inodes(ends.data(), ends.size(), inodes.data()), "sock_diag");
    return from_items(env, inodes.data(), inodes.size(),
                      [env](uint32_t inode) { return inode ? Napi::Number::New(env, inode) : env.Null(); });
}

static Napi::Value from_connection(Napi::Env env, const struct diag_connection &one) {
    Napi::Object connection =
        from_members(env, {{"local", from_address(env, one.local)}, {"remote", from_address(env, one.remote)}});
    return from_members(env, {{"inode", one.inode},
                              {"state", one.state},
                              {"connection", connection},
                              {"unacknowledged", one.unacknowledged},
                              {"hasKeys", one.has_keys}});
}

/* Calls a function whose last arguments are a list and its length, and converts the list. */
template <typename Function, typename... Arguments>
static Napi::Value found_by(Napi::Env env, Function function, Arguments... arguments) {
    struct diag_connection *list = nullptr;
    size_t count = 0;

    check(env, function(arguments..., &list, &count), "sock_diag");
    std::unique_ptr<struct diag_connection, decltype(&free)> owner(list, free);
    return from_items(env, list, count, [env](const auto &one) { return from_connection(env, one); });
}

static Napi::Value tcp_connections(const Napi::CallbackInfo &info) {
    return found_by(info.Env(), diag_tcp_connections);
}

static Napi::Value udp_sockets(const Napi::CallbackInfo &info) { return found_by(info.Env(), diag_udp_sockets); }

static Napi::Value tcp_of_cgroup(const Napi::CallbackInfo &info) {
    bool lossless;
    uint64_t cgroup = info[0].As<Napi::BigInt>().Uint64Value(&lossless);
    uint32_t states = 0;

    for (uint32_t state : to_numbers(info[1])) states |= 1u << state;
    return found_by(info.Env(), diag_tcp_of_cgroup, cgroup, states);
}

static Napi::Value watch_tcp_ends(const Napi::CallbackInfo &info) {
    auto callback = std::make_shared<Callback>(info[0], "migrun.watchTcpEnds");
    int fd = check(info.Env(), diag_ends_open(), "sock_diag");

    return watch_object(Poller::open(info.Env(), fd, [callback](Poller &poller, int) {
        diag_ends_take(poller.fd());
        callback->call({});
    }));
}

void register_lookup(Napi::Env, Napi::Object exports) {
    add(exports, "ownersFind", owners_of);
    add(exports, "ownersLookAround", look_around);
    add(exports, "diagConnectionInodes", connection_inodes);
    add(exports, "diagTcpConnections", tcp_connections);
    add(exports, "diagUdpSockets", udp_sockets);
    add(exports, "diagTcpOfCgroup", tcp_of_cgroup);
    add(exports, "watchTcpEnds", watch_tcp_ends);
}
