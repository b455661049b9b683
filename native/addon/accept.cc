/* NativeAccept of src/native/tcp.ts: conversion only, the mechanics are in native/accept/. */

#include "napi/register.h"
#include "napi/socket_values.h"

#include <memory>
#include <string>

extern "C" {
#include "accept/accept_queue.h"
#include "accept/gate.h"
}

namespace {

Napi::Value take(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    struct queued_socket *list = nullptr;
    size_t count = 0;

    check(env, accept_queue_take(integer(info[0]), &list, &count), "accept4");
    std::unique_ptr<struct queued_socket, decltype(&free)> taken(list, free);
    return from_items(env, list, count, [env](const struct queued_socket &one) {
        Napi::Object socket = from_program_socket(env, one.socket);
        socket.Set("receiveBuffer", double(one.receive_buffer));
        return socket;
    });
}

Napi::Value save_reset(const Napi::CallbackInfo &info) {
    int fd = integer(info[0]);
    struct program_socket socket;
    struct tcp_saved saved;

    check(info.Env(), socket_describe(fd, &socket), "getsockopt");
    union socket_address remote = to_address_of(socket.family, info[1]);
    check(info.Env(), accept_queue_save_reset(fd, &remote, &saved), "recv");
    return from_saved(info.Env(), saved);
}

struct waiting_connection to_waiting(const Napi::Object &request, const struct tcp_saved &saved) {
    struct waiting_connection waiting = {};
    waiting.listener = int(number(request, "listener"));
    waiting.saved = &saved;
    waiting.local = to_address_of(saved.family, request.Get("local"));
    waiting.remote = to_address_of(saved.family, request.Get("remote"));
    waiting.receive_buffer = int(number(request, "receiveBuffer"));
    waiting.peer_stays = flag(request, "peerStays");
    return waiting;
}

void fill(const Napi::CallbackInfo &info) {
    Napi::Array requests = array(info[0], "requests");
    std::string pod = info[1].As<Napi::String>(), own = info[2].As<Napi::String>();
    std::vector<struct tcp_saved> saved(requests.Length());
    std::vector<struct waiting_connection> waiting;

    for (uint32_t i = 0; i < requests.Length(); i++) {
        Napi::Object request = object(requests.Get(i), "request");
        saved[i] = to_saved(object(request.Get("saved"), "saved"));
        waiting.push_back(to_waiting(request, saved[i]));
    }
    check_many(info.Env(), accept_queue_fill, waiting.data(), waiting.size(), pod.c_str(), own.c_str());
}

Napi::Value drop_resets(const Napi::CallbackInfo &info) {
    std::string pod = info[0].As<Napi::String>();
    return Napi::Number::New(info.Env(), check(info.Env(), gate_drop_resets(pod.c_str()), "BPF_LINK_CREATE"));
}

} // namespace

void register_accept(Napi::Env, Napi::Object exports) {
    add(exports, "acceptQueueTake", take);
    add(exports, "acceptQueueSaveReset", save_reset);
    add(exports, "acceptQueueFill", fill);
    add(exports, "gateDropResets", drop_resets);
}
