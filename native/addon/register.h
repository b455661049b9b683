/* What each file of the addon offers to module.cc: a function that adds its part of src/native/contract.ts. */
#pragma once

#include <napi.h>

/** NativeSockets (sockets.cc). */
void register_sockets(Napi::Env env, Napi::Object exports);
/** NativeAcceptQueues (accept_queue.cc). */
void register_accept_queue(Napi::Env env, Napi::Object exports);
/** NativeUdp (udp.cc). */
void register_udp(Napi::Env env, Napi::Object exports);
/** NativeUnix (unix.cc). */
void register_unix(Napi::Env env, Napi::Object exports);
/** NativePatience (patience.cc). */
void register_patience(Napi::Env env, Napi::Object exports);
/** NativeOptions (options.cc). */
void register_options(Napi::Env env, Napi::Object exports);
/** NativeHost (host.cc). */
void register_host(Napi::Env env, Napi::Object exports);
/** NativeEdges (epoll_edges.cc). */
void register_epoll_edges(Napi::Env env, Napi::Object exports);
/** NativeRegistry (registry.cc). */
void register_registry(Napi::Env env, Napi::Object exports);
