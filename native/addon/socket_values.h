/* Sockets and their saved states to and from what src/native/contract.ts says of them. */
#pragma once

#include <napi.h>

#include "values.h"

extern "C" {
#include "socket/collect.h"
#include "tcp/tcp.h"
}

/** Members of an object; throw a TypeError where they are of another kind. */
uint32_t number(const Napi::Object &object, const char *name);
bool flag(const Napi::Object &object, const char *name);
Napi::Object object(const Napi::Value &value, const char *name);

Napi::Object from_held(Napi::Env env, const struct held_socket &socket);

/** Takes the queues out of `saved`: Buffers own them then. */
Napi::Object from_saved(Napi::Env env, struct tcp_saved &saved);

/** The queues stay the Buffers' own: the result lives no longer than `from`. */
struct tcp_saved to_saved(const Napi::Object &from);
