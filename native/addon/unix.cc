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
    return from_items(env, all.data(), all.size(), [env](const Found &found) {
        return from_members(env, {{"inode", found.socket.inode},
                                  {"type", found.socket.type},
                                  {"state", found.socket.state},
                                  {"shutdown", found.socket.shutdown},
                                  {"peer", found.socket.peer},
                                  {"unreceived", found.socket.unreceived},
                                  {"name", name_of(env, found)},
                                  {"waiting", from_numbers(env, found.waiting)}});
    });
}

Napi::Value look_at_queue(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    struct unix_queue queue;
    int result = unix_look_at_queue(integer(info[0]), &queue);
    if (result < 0) {
        unix_queue_clear(&queue);
        fail(env, result, "recvmsg");
    }
    Napi::Array fds = from_numbers(env, std::vector<int>(queue.fds, queue.fds + queue.count));
    Napi::Object out = from_members(env, {{"hasEmpty", queue.has_empty}, {"fds", fds}});
    queue.count = 0; /* they are the caller's now */
    unix_queue_clear(&queue);
    return out;
}

} // namespace

void register_unix(Napi::Env, Napi::Object exports) {
    add(exports, "unixSockets", all_sockets);
    add(exports, "unixLookAtQueue", look_at_queue);
}
