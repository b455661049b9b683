/* NativeSocket of src/native/socket.ts: conversion only, the mechanics are in native/socket/. */

#include "napi/register.h"
#include "napi/socket_values.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

extern "C" {
#include "socket/lock.h"
#include "socket/options.h"
}

namespace {

Napi::Value collect(const Napi::CallbackInfo &info) {
    std::vector<int> pids = to_integers(info[0]);
    struct program_socket *sockets = nullptr;
    size_t count = 0;
    check_many(info.Env(), socket_collect, pids.data(), pids.size(), &sockets, &count);
    std::unique_ptr<struct program_socket, decltype(&free)> owner(sockets, free);
    return from_items(info.Env(), sockets, count,
                      [&info](const struct program_socket &one) { return from_program_socket(info.Env(), one); });
}

Napi::Value describe(const Napi::CallbackInfo &info) {
    struct program_socket socket;
    check(info.Env(), socket_describe(integer(info[0]), &socket), "getsockopt");
    return from_program_socket(info.Env(), socket);
}

Napi::Value tcp_states(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]), states(fds.size());
    check_many(info.Env(), socket_tcp_states, fds.data(), fds.size(), states.data());
    return from_numbers(info.Env(), states);
}

void lock(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    check_many(info.Env(), socket_lock, fds.data(), fds.size(), info[1].ToNumber().Uint32Value());
}

void unlock(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    check_many(info.Env(), socket_unlock, fds.data(), fds.size());
}

void bind_to(const Napi::CallbackInfo &info) {
    int fd = integer(info[0]);
    union socket_address local = to_address_of(integer(info[1]), info[2]);
    int backlog = info[3].IsNumber() ? integer(info[3]) : -1;
    const char *step = nullptr;
    int result = socket_bind(fd, &local, backlog, &step);
    check(info.Env(), result, step);
}

Napi::Value free_port(const Napi::CallbackInfo &info) {
    union socket_address address = to_plain_address(info[0]);
    uint16_t port = 0;
    check(info.Env(), socket_free_port(&address, &port), "bind");
    return Napi::Number::New(info.Env(), port);
}

Napi::Value route_source(const Napi::CallbackInfo &info) {
    union socket_address remote = to_plain_address(info[0]), source;
    int result = socket_route_source(&remote, &source);
    if (result == -ENETUNREACH || result == -EHOSTUNREACH || result == -EADDRNOTAVAIL) return info.Env().Null();
    check(info.Env(), result, "connect");
    return address_text(info.Env(), source);
}

Napi::Value from_options(Napi::Env env, const struct socket_option *options, size_t count) {
    return from_items(env, options, count, [env](const struct socket_option &one) {
        Napi::Value value = Napi::Buffer<uint8_t>::Copy(env, one.value, one.length);
        return from_members(env, {{"level", one.level}, {"name", one.name}, {"value", value}});
    });
}

struct Untouched {
    untouched_sockets sockets = {};
    ~Untouched() { untouched_sockets_free(&sockets); }
};

Napi::Value read_options(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    Untouched untouched;
    std::vector<struct socket_option> options(SOCKET_OPTIONS_MAX);
    return from_items(info.Env(), fds.data(), fds.size(), [&](int fd) {
        size_t count = 0;
        check(info.Env(), socket_read_options(fd, &untouched.sockets, options.data(), &count), "getsockopt");
        return from_options(info.Env(), options.data(), count);
    });
}

struct socket_option to_option(const Napi::Object &from) {
    struct socket_option option = {};
    Napi::Value value = from.Get("value");
    if (!value.IsTypedArray()) throw Napi::TypeError::New(from.Env(), "an option's value must be bytes");
    Napi::Uint8Array bytes = value.As<Napi::Uint8Array>();
    if (bytes.ByteLength() > sizeof option.value)
        throw Napi::RangeError::New(from.Env(), "an option's value is too long");
    option.level = integer(from, "level");
    option.name = integer(from, "name");
    option.length = uint32_t(bytes.ByteLength());
    memcpy(option.value, bytes.Data(), option.length);
    return option;
}

std::vector<struct socket_option> to_options(const Napi::Value &value) { return to_items(value, "options", to_option); }

void write_options(const Napi::CallbackInfo &info) {
    std::vector<uint32_t> fds = to_numbers(info[0]);
    Napi::Array lists = info[1].As<Napi::Array>();
    bool early = info[2].ToBoolean();
    Untouched untouched;
    for (uint32_t i = 0; i < fds.size(); i++) {
        Napi::HandleScope scope(info.Env());
        std::vector<struct socket_option> options = to_options(lists.Get(i));
        const char *refused = "setsockopt";
        int result =
            socket_write_options(int(fds[i]), &untouched.sockets, options.data(), options.size(), early, &refused);
        if (result < 0) fail(info.Env(), result, refused);
    }
}

Napi::Value refused_option(const Napi::CallbackInfo &info) {
    std::vector<struct socket_option> options = to_options(info[3]);
    int family = integer(info[0]), type = integer(info[1]);
    const char *refused = nullptr;
    check(info.Env(), socket_refused_option(family, type, integer(info[2]), options.data(), options.size(), &refused),
          "socket");
    return refused ? Napi::Value(Napi::String::New(info.Env(), refused)) : info.Env().Null();
}

Napi::Value why_not_bound(const Napi::CallbackInfo &info) {
    int family = integer(info[0]), reason = 0;
    std::vector<struct socket_option> options = to_options(info[1]);
    union socket_address local = to_address_of(family, info[2]);
    check(info.Env(),
          socket_why_not_bound(family, options.data(), options.size(), &local, info[3].ToBoolean(), &reason), "socket");
    return reason ? Napi::Value(Napi::String::New(info.Env(), strerrorname_np(-reason))) : info.Env().Null();
}

} // namespace

void register_socket(Napi::Env, Napi::Object exports) {
    add(exports, "socketCollect", collect);
    add(exports, "socketDescribe", describe);
    add(exports, "socketTcpStates", tcp_states);
    add(exports, "socketLock", lock);
    add(exports, "socketUnlock", unlock);
    add(exports, "socketBind", bind_to);
    add(exports, "socketFreePort", free_port);
    add(exports, "socketRouteSource", route_source);
    add(exports, "socketReadOptions", read_options);
    add(exports, "socketWriteOptions", write_options);
    add(exports, "socketRefusedOption", refused_option);
    add(exports, "socketWhyNotBound", why_not_bound);
}
