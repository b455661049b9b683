/* NativeUnix of src/native/unix.ts: conversion only, the mechanics are in native/unix/. */

#include <string>
#include <vector>

#include "napi/register.h"
#include "napi/values.h"

extern "C" {
#include "unix/unix_sockets.h"
}

namespace {

struct Found {
    unix_socket socket;
    std::string name;
    std::vector<uint32_t> waiting;
};

void add_found(const unix_socket *socket, void *context) {
    Found found{*socket, {}, {socket->waiting, socket->waiting + socket->waiting_count}};
    if (socket->name_length > 0) found.name.assign(socket->name, socket->name_length);
    static_cast<std::vector<Found> *>(context)->push_back(std::move(found));
}

/* An abstract name begins with 0, and may have more of them. */
Napi::Value name_of(Napi::Env env, const Found &found) {
    if (found.name.empty()) return env.Null();
    if (found.name[0] == '\0') return Napi::String::New(env, "@" + found.name.substr(1));
    return Napi::String::New(env, found.name.substr(0, found.name.find('\0')));
}

Napi::Value all_sockets(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    std::vector<Found> all;
    check(env, ::unix_sockets(add_found, &all), "sock_diag");
    Napi::Array out = Napi::Array::New(env, all.size());
    for (size_t i = 0; i < all.size(); i++) {
        const Found &found = all[i];
        Napi::Object one = Napi::Object::New(env);
        one.Set("inode", Napi::Number::New(env, found.socket.inode));
        one.Set("type", Napi::Number::New(env, found.socket.type));
        one.Set("state", Napi::Number::New(env, found.socket.state));
        one.Set("shutdown", Napi::Number::New(env, found.socket.shutdown));
        one.Set("peer", Napi::Number::New(env, found.socket.peer));
        one.Set("unreceived", Napi::Number::New(env, found.socket.unreceived));
        one.Set("name", name_of(env, found));
        one.Set("waiting", from_numbers(env, found.waiting));
        out.Set(uint32_t(i), one);
    }
    return out;
}

Napi::Value look_at_queue(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    struct unix_queue queue;
    int result = unix_look_at_queue(info[0].As<Napi::Number>().Int32Value(), &queue);
    if (result < 0) {
        unix_queue_clear(&queue);
        fail(env, result, "recvmsg");
    }
    Napi::Object out = Napi::Object::New(env);
    Napi::Array fds = Napi::Array::New(env, queue.count);
    for (size_t i = 0; i < queue.count; i++) fds.Set(uint32_t(i), Napi::Number::New(env, queue.fds[i]));
    out.Set("hasEmpty", Napi::Boolean::New(env, queue.has_empty));
    out.Set("fds", fds);
    queue.count = 0; /* they are the caller's now */
    unix_queue_clear(&queue);
    return out;
}

} // namespace

void register_unix(Napi::Env, Napi::Object exports) {
    add(exports, "unixSockets", all_sockets);
    add(exports, "unixLookAtQueue", look_at_queue);
}
