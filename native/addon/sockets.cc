/* NativeSockets of src/native/contract.ts: conversion only, the mechanics are in the C files. */

#include "batch.h"
#include "register.h"
#include "values.h"

#include <cerrno>
#include <string>
#include <vector>

extern "C" {
#include "lock.h"
#include "sequences.h"
#include "socket_obstacles.h"
#include "sockets_collect.h"
#include "tcp_connecting.h"
#include "tcp_state.h"
}

namespace {

uint32_t number(const Napi::Object &object, const char *name) {
    Napi::Value value = object.Get(name);
    if (!value.IsNumber()) throw Napi::TypeError::New(object.Env(), std::string(name) + " must be a number");
    return value.As<Napi::Number>().Uint32Value();
}

Napi::Object object(const Napi::Value &value, const char *name) {
    if (!value.IsObject()) throw Napi::TypeError::New(value.Env(), std::string(name) + " must be an object");
    return value.As<Napi::Object>();
}

const char *const obstacle_names[] = {
    "ebpf-filter", "locked-filter", "upper-layer",       "authentication", "urgent-data", "zerocopy",
    "error-queue", "interface",     "extension-headers", "fast-open",      "corked",      "encapsulation",
};
static_assert(sizeof obstacle_names / sizeof *obstacle_names == OBSTACLES, "one name each");

Napi::Array from_obstacles(Napi::Env env, uint32_t obstacles) {
    Napi::Array out = Napi::Array::New(env);
    for (int i = 0; i < OBSTACLES; i++)
        if (obstacles & 1u << i) out.Set(out.Length(), Napi::String::New(env, obstacle_names[i]));
    return out;
}

Napi::Object from_held(Napi::Env env, const struct held_socket &socket) {
    Napi::Object out = Napi::Object::New(env);
    out.Set("fd", Napi::Number::New(env, socket.fd));
    out.Set("inode", Napi::Number::New(env, double(socket.inode)));
    out.Set("cookie", Napi::BigInt::New(env, socket.cookie));
    out.Set("pid", Napi::Number::New(env, socket.pid));
    out.Set("pfd", Napi::Number::New(env, socket.pfd));
    out.Set("family", Napi::Number::New(env, socket.family));
    out.Set("type", Napi::Number::New(env, socket.type));
    out.Set("protocol", Napi::Number::New(env, socket.protocol));
    out.Set("state", Napi::Number::New(env, socket.state));
    out.Set("local", from_address(env, socket.local));
    out.Set("remote", from_address(env, socket.remote));
    out.Set("backlog", Napi::Number::New(env, socket.backlog));
    out.Set("obstacles", from_obstacles(env, socket.obstacles));
    return out;
}

/* Hands the malloc'd bytes over to a Buffer, which frees them. */
Napi::Value from_queue(Napi::Env env, uint8_t *&queue, uint32_t length) {
    if (length == 0) return Napi::Buffer<uint8_t>::New(env, 0);
    uint8_t *bytes = queue;
    queue = nullptr;
    return Napi::Buffer<uint8_t>::NewOrCopy(env, bytes, length, [](Napi::Env, uint8_t *data) { free(data); });
}

Napi::Object from_saved(Napi::Env env, struct tcp_saved &saved) {
    Napi::Object out = Napi::Object::New(env), window = Napi::Object::New(env);
    auto put = [env](Napi::Object &into, const char *name, uint32_t value) {
        into.Set(name, Napi::Number::New(env, value));
    };
    put(out, "family", uint32_t(saved.family));
    put(out, "state", uint32_t(saved.state));
    out.Set("local", from_address(env, saved.local));
    out.Set("remote", from_address(env, saved.remote));
    put(out, "sndUna", saved.snd_una);
    put(out, "rcvNxt", saved.rcv_nxt);
    out.Set("finSent", Napi::Boolean::New(env, saved.fin_sent));
    out.Set("finReceived", Napi::Boolean::New(env, saved.fin_received));
    out.Set("sendQueue", from_queue(env, saved.send_queue, saved.send_length));
    out.Set("receiveQueue", from_queue(env, saved.receive_queue, saved.receive_length));
    put(out, "options", saved.options);
    put(out, "sndWscale", saved.snd_wscale);
    put(out, "rcvWscale", saved.rcv_wscale);
    put(out, "mssClamp", saved.mss_clamp);
    put(out, "timestamp", saved.timestamp);
    put(window, "sndWl1", saved.window.snd_wl1);
    put(window, "sndWnd", saved.window.snd_wnd);
    put(window, "maxWindow", saved.window.max_window);
    put(window, "rcvWnd", saved.window.rcv_wnd);
    put(window, "rcvWup", saved.window.rcv_wup);
    out.Set("window", window);
    out.Set("reuseAddress", Napi::Boolean::New(env, saved.reuse_address != 0));
    return out;
}

void to_queue(const Napi::Object &object, const char *name, uint8_t *&queue, uint32_t &length) {
    Napi::Value value = object.Get(name);
    if (!value.IsBuffer()) throw Napi::TypeError::New(object.Env(), std::string(name) + " must be a Buffer");
    Napi::Buffer<uint8_t> buffer = value.As<Napi::Buffer<uint8_t>>();
    if (buffer.Length() > INT32_MAX) throw Napi::RangeError::New(object.Env(), std::string(name) + " is too long");
    queue = buffer.Data();
    length = uint32_t(buffer.Length());
}

bool flag(const Napi::Object &object, const char *name) { return object.Get(name).ToBoolean(); }

/* The queues stay the Buffers' own: the result lives no longer than `from`. */
struct tcp_saved to_saved(const Napi::Object &from) {
    struct tcp_saved saved = {};
    Napi::Object window = object(from.Get("window"), "window");
    saved.family = int(number(from, "family"));
    saved.state = int(number(from, "state"));
    saved.snd_una = number(from, "sndUna");
    saved.rcv_nxt = number(from, "rcvNxt");
    saved.fin_sent = flag(from, "finSent");
    saved.fin_received = flag(from, "finReceived");
    to_queue(from, "sendQueue", saved.send_queue, saved.send_length);
    to_queue(from, "receiveQueue", saved.receive_queue, saved.receive_length);
    saved.options = uint8_t(number(from, "options"));
    saved.snd_wscale = uint8_t(number(from, "sndWscale"));
    saved.rcv_wscale = uint8_t(number(from, "rcvWscale"));
    saved.mss_clamp = number(from, "mssClamp");
    saved.timestamp = number(from, "timestamp");
    saved.window.snd_wl1 = number(window, "sndWl1");
    saved.window.snd_wnd = number(window, "sndWnd");
    saved.window.max_window = number(window, "maxWindow");
    saved.window.rcv_wnd = number(window, "rcvWnd");
    saved.window.rcv_wup = number(window, "rcvWup");
    saved.reuse_address = from.Has("reuseAddress") ? flag(from, "reuseAddress") : -1;
    return saved;
}

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
    exports.Set("closeSilently", Napi::Function::New(env, close_silently, "closeSilently"));
    exports.Set("sequences", Napi::Function::New(env, sequences, "sequences"));
}
