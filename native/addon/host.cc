/* NativeHost of src/native/contract.ts: conversion only, the mechanics are in the C files. */

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "host_parts.h"
#include "register.h"
#include "values.h"

extern "C" {
#include "freeze/cgroup.h"
#include "kernel/files.h"
#include "lookup/diag.h"
#include "lookup/owners.h"
#include "kernel/process.h"
#include "freeze/ptrace.h"
#include "kernel/rename_new.h"
#include "freeze/restart_calls.h"
#include "socket/route.h"
}

/* A thread that takes longer is not about to stop: a rebind holds a peer for well under a millisecond. */
constexpr int kPtraceTimeoutMs = 1000;

static int number(const Napi::Value &value) { return value.As<Napi::Number>().Int32Value(); }

static Napi::Array pair(Napi::Env env, const int ends[2]) {
    Napi::Array array = Napi::Array::New(env, 2);
    array.Set(0u, Napi::Number::New(env, ends[0]));
    array.Set(1u, Napi::Number::New(env, ends[1]));
    return array;
}

static Napi::Value pidfd_open(const Napi::CallbackInfo &info) {
    return Napi::Number::New(info.Env(), check(info.Env(), process_open(number(info[0])), "pidfd_open"));
}

static Napi::Value pidfd_getfd(const Napi::CallbackInfo &info) {
    int fd = check(info.Env(), process_take_fd(number(info[0]), number(info[1])), "pidfd_getfd");
    return Napi::Number::New(info.Env(), fd);
}

static void close_fd(const Napi::CallbackInfo &info) {
    if (close(number(info[0])) < 0) fail(info.Env(), -errno, "close");
}

static void become_subreaper(const Napi::CallbackInfo &info) { check(info.Env(), process_become_subreaper(), "prctl"); }

static void freeze_cgroup(const Napi::CallbackInfo &info) {
    std::string path = info[0].As<Napi::String>();
    check(info.Env(), cgroup_freeze(path.c_str(), number(info[1])), "cgroup.freeze");
}

static void thaw_cgroup(const Napi::CallbackInfo &info) {
    std::string path = info[0].As<Napi::String>();
    check(info.Env(), cgroup_thaw(path.c_str()), "cgroup.freeze");
}

static Napi::Value begin_calls_again(const Napi::CallbackInfo &info) {
    std::vector<uint32_t> numbers = to_numbers(info[0]);
    std::vector<pid_t> pids(numbers.begin(), numbers.end());
    int count = restart_calls(pids.data(), pids.size());

    check(info.Env(), count < 0 ? count : 0, "ptrace");
    return Napi::Number::New(info.Env(), count);
}

/* Released once: by release(), else with the last reference to it. */
static Napi::Value freeze_by_ptrace(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    std::vector<uint32_t> numbers = to_numbers(info[0]);
    std::vector<pid_t> pids(numbers.begin(), numbers.end());
    struct ptrace_freeze *made = nullptr;

    check(env, ptrace_freeze(pids.data(), pids.size(), kPtraceTimeoutMs, &made), "ptrace");
    auto owner = std::make_shared<std::shared_ptr<struct ptrace_freeze>>(made, ptrace_release);
    Napi::Object handle = Napi::Object::New(env);
    handle.Set("release", Napi::Function::New(
                              env, [owner](const Napi::CallbackInfo &) { owner->reset(); }, "release"));
    return handle;
}

/* nullptr: all. */
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

template <typename Iterator> static Napi::Value from_owners(Napi::Env env, Iterator from, Iterator to) {
    Napi::Array array = Napi::Array::New(env, static_cast<size_t>(to - from));
    for (uint32_t i = 0; from != to; ++from, ++i) {
        Napi::HandleScope scope(env);
        Napi::Object owner = Napi::Object::New(env);
        owner.Set("inode", Napi::Number::New(env, from->inode));
        owner.Set("pid", Napi::Number::New(env, from->pid));
        owner.Set("fd", Napi::Number::New(env, from->fd));
        array.Set(i, owner);
    }
    return array;
}

/* Of processes; undefined: all. */
static std::unique_ptr<std::vector<pid_t>> to_among(const Napi::Value &pids) {
    if (pids.IsUndefined()) return nullptr;
    std::vector<uint32_t> numbers = to_numbers(pids);
    return std::make_unique<std::vector<pid_t>>(numbers.begin(), numbers.end());
}

static Napi::Value owners_of(const Napi::CallbackInfo &info) {
    std::vector<uint32_t> inodes = to_numbers(info[0]);
    std::vector<struct owner> found = find_owners(info.Env(), &inodes, to_among(info[1]).get());
    return from_owners(info.Env(), found.begin(), found.end());
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
    return from_owners(env, found.begin(), found.end());
}

static Napi::Value owning_pids(Napi::Env env, const Owners &seen, const Napi::Value &inodes) {
    std::set<pid_t> pids;
    for (uint32_t inode : to_numbers(inodes)) {
        auto [from, to] = range_of(seen, inode);
        for (; from != to; ++from) pids.insert(from->pid);
    }
    Napi::Array array = Napi::Array::New(env, pids.size());
    uint32_t i = 0;
    for (pid_t pid : pids) array.Set(i++, Napi::Number::New(env, pid));
    return array;
}

static Napi::Value sets_of(Napi::Env env, const Owners &seen, const Napi::Value &processes) {
    std::vector<uint32_t> pids = to_numbers(processes);
    auto [from, to] = range_of(seen, OWNER_OF_EPOLL);
    Owners found;

    std::copy_if(from, to, std::back_inserter(found), [&pids](const struct owner &set) {
        return std::find(pids.begin(), pids.end(), static_cast<uint32_t>(set.pid)) != pids.end() && owner_is(&set);
    });
    return from_owners(env, found.begin(), found.end());
}

static Napi::Value look_around(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    auto seen = std::make_shared<Owners>(find_owners(env, nullptr, to_among(info[0]).get()));
    Napi::Object look = Napi::Object::New(env);

    std::sort(seen->begin(), seen->end(),
              [](const struct owner &one, const struct owner &other) { return one.inode < other.inode; });
    look.Set("owners",
             Napi::Function::New(
                 env, [seen](const Napi::CallbackInfo &call) { return unchanged_owners(call.Env(), *seen, call[0]); },
                 "owners"));
    look.Set(
        "pids",
        Napi::Function::New(
            env, [seen](const Napi::CallbackInfo &call) { return owning_pids(call.Env(), *seen, call[0]); }, "pids"));
    look.Set("sets",
             Napi::Function::New(
                 env, [seen](const Napi::CallbackInfo &call) { return sets_of(call.Env(), *seen, call[0]); }, "sets"));
    return look;
}

static Napi::Value connection_inodes(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    Napi::Array connections = info[0].As<Napi::Array>();
    std::vector<struct diag_ends> ends(connections.Length());
    std::vector<uint32_t> inodes(ends.size());

    for (uint32_t i = 0; i < ends.size(); i++) {
        Napi::HandleScope scope(env);
        Napi::Object connection = connections.Get(i).As<Napi::Object>();
        ends[i] = {to_address(connection.Get("local")), to_address(connection.Get("remote"))};
    }
    check(env, diag_connection_inodes(ends.data(), ends.size(), inodes.data()), "sock_diag");
    Napi::Array array = Napi::Array::New(env, inodes.size());
    for (uint32_t i = 0; i < inodes.size(); i++)
        array.Set(i, inodes[i] ? Napi::Number::New(env, inodes[i]) : env.Null());
    return array;
}

using DiagList = std::unique_ptr<struct diag_connection, decltype(&free)>;

static Napi::Value from_diag(Napi::Env env, const DiagList &list, size_t count) {
    Napi::Array array = Napi::Array::New(env, count);
    for (size_t i = 0; i < count; i++) {
        Napi::HandleScope scope(env);
        const struct diag_connection &one = list.get()[i];
        Napi::Object connection = Napi::Object::New(env), item = Napi::Object::New(env);
        connection.Set("local", from_address(env, one.local));
        connection.Set("remote", from_address(env, one.remote));
        item.Set("inode", Napi::Number::New(env, one.inode));
        item.Set("state", Napi::Number::New(env, one.state));
        item.Set("connection", connection);
        item.Set("unacknowledged", Napi::Number::New(env, one.unacknowledged));
        item.Set("hasKeys", Napi::Boolean::New(env, one.has_keys));
        array.Set(static_cast<uint32_t>(i), item);
    }
    return array;
}

static Napi::Value tcp_connections(const Napi::CallbackInfo &info) {
    struct diag_connection *list = nullptr;
    size_t count = 0;

    check(info.Env(), diag_tcp_connections(&list, &count), "sock_diag");
    return from_diag(info.Env(), DiagList(list, free), count);
}

static Napi::Value udp_sockets(const Napi::CallbackInfo &info) {
    struct diag_connection *list = nullptr;
    size_t count = 0;

    check(info.Env(), diag_udp_sockets(&list, &count), "sock_diag");
    return from_diag(info.Env(), DiagList(list, free), count);
}

static Napi::Value tcp_of_cgroup(const Napi::CallbackInfo &info) {
    struct diag_connection *list = nullptr;
    size_t count = 0;
    bool lossless;
    uint64_t cgroup = info[0].As<Napi::BigInt>().Uint64Value(&lossless);
    uint32_t states = 0;

    for (uint32_t state : to_numbers(info[1])) states |= 1u << state;
    check(info.Env(), diag_tcp_of_cgroup(cgroup, states, &list, &count), "sock_diag");
    return from_diag(info.Env(), DiagList(list, free), count);
}

static Napi::Value source_of_route(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    Napi::Object endpoint = Napi::Object::New(env);
    endpoint.Set("address", info[0]);
    endpoint.Set("port", Napi::Number::New(env, 0));
    union socket_address remote = to_address(endpoint), source;

    int result = route_source(&remote, &source);
    if (result == -ENETUNREACH || result == -EHOSTUNREACH || result == -EADDRNOTAVAIL) return env.Null();
    check(env, result, "connect");
    return address_text(env, source);
}

static Napi::Value seqpacket_pair(const Napi::CallbackInfo &info) {
    int ends[2];
    check(info.Env(), descriptors_seqpacket(ends), "socketpair");
    return pair(info.Env(), ends);
}

static Napi::Value make_pipe(const Napi::CallbackInfo &info) {
    int ends[2];
    check(info.Env(), descriptors_pipe(ends), "pipe2");
    return pair(info.Env(), ends);
}

static Napi::Value open_pty(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    int master, slave;
    auto rows = static_cast<uint16_t>(number(info[0])), columns = static_cast<uint16_t>(number(info[1]));

    check(env, descriptors_pty(rows, columns, &master, &slave), "posix_openpt");
    Napi::Object pty = Napi::Object::New(env);
    pty.Set("master", Napi::Number::New(env, master));
    pty.Set("slave", Napi::Number::New(env, slave));
    return pty;
}

static void set_window_size(const Napi::CallbackInfo &info) {
    auto rows = static_cast<uint16_t>(number(info[1])), columns = static_cast<uint16_t>(number(info[2]));
    check(info.Env(), descriptors_set_window_size(number(info[0]), rows, columns), "ioctl");
}

static Napi::Value make_memfd(const Napi::CallbackInfo &info) {
    std::string name = info[0].As<Napi::String>();
    return Napi::Number::New(info.Env(), check(info.Env(), descriptors_memfd(name.c_str()), "memfd_create"));
}

static void rename_to_new(const Napi::CallbackInfo &info) {
    std::string from = info[0].As<Napi::String>(), to = info[1].As<Napi::String>();
    check(info.Env(), rename_new(from.c_str(), to.c_str()), "renameat2");
}

void register_host(Napi::Env env, Napi::Object exports) {
    auto add = [&](const char *name, auto function) { exports.Set(name, Napi::Function::New(env, function, name)); };

    add("pidfdOpen", pidfd_open);
    add("pidfdGetfd", pidfd_getfd);
    add("closeFd", close_fd);
    add("becomeSubreaper", become_subreaper);
    add("cgroupFreeze", freeze_cgroup);
    add("cgroupThaw", thaw_cgroup);
    add("ptraceFreeze", freeze_by_ptrace);
    add("restartCalls", begin_calls_again);
    add("findOwners", owners_of);
    add("lookAround", look_around);
    add("connectionInodes", connection_inodes);
    add("tcpConnections", tcp_connections);
    add("udpSockets", udp_sockets);
    add("tcpOfCgroup", tcp_of_cgroup);
    add("routeSource", source_of_route);
    add("seqpacketPair", seqpacket_pair);
    add("pipe", make_pipe);
    add("openPty", open_pty);
    add("setWindowSize", set_window_size);
    add("memfd", make_memfd);
    add("renameNew", rename_to_new);
    register_watches(env, exports);
    register_timers(env, exports);
    register_inband(env, exports);
    register_message_socket(env, exports);
}
