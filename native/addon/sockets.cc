/* NativeSockets of src/native/contract.ts: conversion only, the mechanics are in the C files. */

#include "batch.h"
#include "register.h"
#include "socket_values.h"

#include <cerrno>
#include <vector>

extern "C" {
#include "socket/lock.h"
#include "tcp/sequences.h"
#include "socket/socket.h"
#include "tcp/connecting.h"
}

namespace {

Napi::Value collect_sockets(const Napi::CallbackInfo &info) {
    std::vector<int> pids = to_integers(info[0]);
    struct held_socket *sockets = nullptr;
    struct failure failure = {};
    size_t count = 0;
    check(info.Env(), sockets_collect(pids.data(), pids.size(), &sockets, &count, &failure), failure);
    std::vector<struct held_socket> held(sockets, sockets + count);
    free(sockets);
    Napi::Array out = Napi::Array::New(info.Env(), count);
    for (size_t i = 0; i < count; i++) out.Set(uint32_t(i), from_held(info.Env(), held[i]));
    return out;
}

Napi::Value describe_socket(const Napi::CallbackInfo &info) {
    struct held_socket socket;
    check(info.Env(), socket_describe(info[0].ToNumber().Int32Value(), &socket), "getsockopt");
    return from_held(info.Env(), socket);
}

Napi::Value tcp_states(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    Napi::Array out = Napi::Array::New(info.Env(), fds.size());
    for (size_t i = 0; i < fds.size(); i++) {
        int state = 0;
        ::check(info.Env(), socket_tcp_state(fds[i], &state), "TCP_INFO");
        out.Set(uint32_t(i), Napi::Number::New(info.Env(), state));
    }
    return out;
}

void lock(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    struct failure failure = {};
    check(info.Env(), socket_lock_all(fds.data(), fds.size(), info[1].ToNumber().Uint32Value(), &failure), failure);
}

Napi::Value save(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    std::vector<struct tcp_saved> saved(fds.size());
    struct failure failure = {};
    check(info.Env(), tcp_save_all(fds.data(), fds.size(), saved.data(), &failure), failure);
    Napi::Array out = Napi::Array::New(info.Env(), saved.size());
    for (size_t i = 0; i < saved.size(); i++) out.Set(uint32_t(i), from_saved(info.Env(), saved[i]));
    return out;
}

using Batch = int (*)(const int *, size_t, struct failure *);

template <Batch batch> void run(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    struct failure failure = {};
    check(info.Env(), batch(fds.data(), fds.size(), &failure), failure);
}

int revive_one(const Napi::Object &request, int fd, struct failure *failure) {
    struct tcp_saved saved = to_saved(object(request.Get("saved"), "saved"));
    union socket_address local = to_address_of(saved.family, request.Get("local"));
    union socket_address remote = to_address_of(saved.family, request.Get("remote"));
    return tcp_revive(fd, &saved, &local, &remote, number(request, "peerHas"), failure);
}

void revive(const Napi::CallbackInfo &info) {
    if (!info[0].IsArray()) throw Napi::TypeError::New(info.Env(), "an array of requests is required");
    Napi::Array requests = info[0].As<Napi::Array>();
    std::vector<int> fds;
    struct failure failure = {};
    for (uint32_t i = 0; i < requests.Length(); i++) {
        Napi::HandleScope scope(info.Env());
        Napi::Object request = object(requests.Get(i), "request");
        fds.push_back(int(number(request, "fd")));
        failure.index = i;
        check(info.Env(), revive_one(request, fds.back(), &failure), failure);
    }
    if (!info[1].ToBoolean()) check(info.Env(), tcp_release_all(fds.data(), fds.size(), &failure), failure);
}

void connect_again(const Napi::CallbackInfo &info) {
    int fd = info[0].ToNumber().Int32Value(), family = info[1].ToNumber().Int32Value();
    Napi::Object connection = object(info[2], "connection");
    union socket_address local = to_address_of(family, connection.Get("local"));
    union socket_address remote = to_address_of(family, connection.Get("remote"));
    const char *step = nullptr;
    int result = tcp_connect_again(fd, &local, &remote, &step);
    ::check(info.Env(), result, step);
}

void bind_socket(const Napi::CallbackInfo &info) {
    int fd = info[0].ToNumber().Int32Value();
    union socket_address local = to_address_of(info[1].ToNumber().Int32Value(), info[2]);
    int backlog = info[3].IsNumber() ? info[3].As<Napi::Number>().Int32Value() : -1;
    const char *step = nullptr;
    int result = socket_bind(fd, &local, backlog, &step);
    ::check(info.Env(), result, step);
}

Napi::Value free_port(const Napi::CallbackInfo &info) {
    Napi::Object endpoint = Napi::Object::New(info.Env());
    endpoint.Set("address", info[0]);
    endpoint.Set("port", Napi::Number::New(info.Env(), 0));
    union socket_address address = to_address(endpoint);
    uint16_t port = 0;
    ::check(info.Env(), socket_free_port(&address, &port), "bind");
    return Napi::Number::New(info.Env(), port);
}

void close_silently(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    tcp_close_silently(fds.data(), fds.size());
}

Napi::Value sequences(const Napi::CallbackInfo &info) {
    Napi::Object connection = object(info[0], "connection");
    union socket_address local = to_address(object(connection.Get("local"), "local"));
    union socket_address remote = to_address_of(local.any.sa_family, connection.Get("remote"));
    struct tcp_sequences found;
    int result = tcp_sequences(&local, &remote, &found);
    if (result == -ENOENT) return info.Env().Null();
    check(info.Env(), result, "BPF_PROG_TEST_RUN");
    Napi::Object out = Napi::Object::New(info.Env());
    out.Set("sndNxt", Napi::Number::New(info.Env(), found.snd_nxt));
    out.Set("sndUna", Napi::Number::New(info.Env(), found.snd_una));
    out.Set("rcvNxt", Napi::Number::New(info.Env(), found.rcv_nxt));
    out.Set("state", Napi::Number::New(info.Env(), found.state));
    return out;
}

} // namespace

void register_sockets(Napi::Env env, Napi::Object exports) {
    exports.Set("collectSockets", Napi::Function::New(env, collect_sockets, "collectSockets"));
    exports.Set("describeSocket", Napi::Function::New(env, describe_socket, "describeSocket"));
    exports.Set("tcpStates", Napi::Function::New(env, tcp_states, "tcpStates"));
    exports.Set("lock", Napi::Function::New(env, lock, "lock"));
    exports.Set("unlock", Napi::Function::New(env, run<socket_unlock_all>, "unlock"));
    exports.Set("save", Napi::Function::New(env, save, "save"));
    exports.Set("unsave", Napi::Function::New(env, run<tcp_unsave_all>, "unsave"));
    exports.Set("revive", Napi::Function::New(env, revive, "revive"));
    exports.Set("release", Napi::Function::New(env, run<tcp_release_all>, "release"));
    exports.Set("connectAgain", Napi::Function::New(env, connect_again, "connectAgain"));
    exports.Set("bindSocket", Napi::Function::New(env, bind_socket, "bindSocket"));
    exports.Set("freePort", Napi::Function::New(env, free_port, "freePort"));
    exports.Set("closeSilently", Napi::Function::New(env, close_silently, "closeSilently"));
    exports.Set("sequences", Napi::Function::New(env, sequences, "sequences"));
}
