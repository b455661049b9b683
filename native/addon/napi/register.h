/* What each file of the addon offers to module.cc: a function that adds its part of src/native/index.ts. */
#pragma once

#include <napi.h>

void register_socket(Napi::Env env, Napi::Object exports);
void register_tcp(Napi::Env env, Napi::Object exports);
void register_udp(Napi::Env env, Napi::Object exports);
void register_unix(Napi::Env env, Napi::Object exports);
void register_accept(Napi::Env env, Napi::Object exports);
void register_inband(Napi::Env env, Napi::Object exports);
void register_lookup(Napi::Env env, Napi::Object exports);
void register_freeze(Napi::Env env, Napi::Object exports);
void register_epoll(Napi::Env env, Napi::Object exports);
void register_kernel(Napi::Env env, Napi::Object exports);
void register_message_socket(Napi::Env env, Napi::Object exports);
void register_registry(Napi::Env env, Napi::Object exports);

/** Adds one function. */
template <typename Function> void add(Napi::Object &exports, const char *name, Function function) {
    exports.Set(name, Napi::Function::New(exports.Env(), function, name));
}
