/* NativeSocket of src/native/socket.ts: conversion only, the mechanics are in native/socket/. */

#include "napi/register.h"
#include "napi/socket_values.h"

#include <cerrno>
#include <cstring>
#include <vector>

extern "C" {
#include "socket/lock.h"
#include "socket/options.h"
}

namespace {

Napi::Value collect(const Napi::CallbackInfo &info) {
    std::vector<int> pids = to_integers(info[0]);
    struct program_socket *sockets = nullptr;
    struct failure failure = {};
    size_t count = 0;
    check(info.Env(), socket_collect(pids.data(), pids.size(), &sockets, &count, &failure), failure);
    std::vector<struct program_socket> found(sockets, sockets + count);
    free(sockets);
    Napi::Array out = Napi::Array::New(info.Env(), count);
    for (size_t i = 0; i < count; i++) out.Set(uint32_t(i), from_program_socket(info.Env(), found[i]));
    return out;
}

Napi::Value describe(const Napi::CallbackInfo &info) {
    struct program_socket socket;
    check(info.Env(), socket_describe(info[0].ToNumber().Int32Value(), &socket), "getsockopt");
    return from_program_socket(info.Env(), socket);
}

Napi::Value tcp_states(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]), states(fds.size());
    struct failure failure = {};
    check(info.Env(), socket_tcp_states(fds.data(), fds.size(), states.data(), &failure), failure);
    return from_numbers(info.Env(), states);
}

void lock(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    struct failure failure = {};
    check(info.Env(), socket_lock(fds.data(), fds.size(), info[1].ToNumber().Uint32Value(), &failure), failure);
}

void unlock(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    struct failure failure = {};
    check(info.Env(), socket_unlock(fds.data(), fds.size(), &failure), failure);
}

void bind_to(const Napi::CallbackInfo &info) {
    int fd = info[0].ToNumber().Int32Value();
    union socket_address local = to_address_of(info[1].ToNumber().Int32Value(), info[2]);
    int backlog = info[3].IsNumber() ? info[3].As<Napi::Number>().Int32Value() : -1;
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
    Napi::Array out = Napi::Array::New(env, count);
    for (size_t i = 0; i < count; i++) {
        Napi::Object one = Napi::Object::New(env);
        one.Set("level", Napi::Number::New(env, options[i].level));
        one.Set("name", Napi::Number::New(env, options[i].name));
        one.Set("value", Napi::Buffer<uint8_t>::Copy(env, options[i].value, options[i].length));
        out.Set(uint32_t(i), one);
    }
    return out;
}

struct Untouched {
    untouched_sockets sockets = {};
    ~Untouched() { untouched_sockets_free(&sockets); }
};

Napi::Value read_options(const Napi::CallbackInfo &info) {
    std::vector<uint32_t> fds = to_numbers(info[0]);
    Untouched untouched;
    std::vector<struct socket_option> options(SOCKET_OPTIONS_MAX);
    Napi::Array out = Napi::Array::New(info.Env(), fds.size());
    for (size_t i = 0; i < fds.size(); i++) {
        Napi::HandleScope scope(info.Env());
        size_t count = 0;
        check(info.Env(), socket_read_options(int(fds[i]), &untouched.sockets, options.data(), &count), "getsockopt");
        out.Set(uint32_t(i), from_options(info.Env(), options.data(), count));
    }
    return out;
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

std::vector<struct socket_option> to_options(const Napi::Value &value) {
    Napi::Array given = array(value, "options");
    std::vector<struct socket_option> options;
    for (uint32_t i = 0; i < given.Length(); i++) options.push_back(to_option(object(given.Get(i), "option")));
    return options;
}

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
    int family = info[0].ToNumber().Int32Value(), type = info[1].ToNumber().Int32Value();
    const char *refused = nullptr;
    check(
        info.Env(),
        socket_refused_option(family, type, info[2].ToNumber().Int32Value(), options.data(), options.size(), &refused),
        "socket");
    return refused ? Napi::Value(Napi::String::New(info.Env(), refused)) : info.Env().Null();
}

Napi::Value why_not_bound(const Napi::CallbackInfo &info) {
    int family = info[0].ToNumber().Int32Value(), reason = 0;
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
