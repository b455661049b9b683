/* Sockets and their saved states to and from what src/native/index.ts says of them. */
#pragma once

#include <napi.h>

#include "values.h"

extern "C" {
#include "socket/collect.h"
#include "tcp/tcp.h"
}

Napi::Object from_program_socket(Napi::Env env, const struct program_socket &socket);

/** Takes the queues out of `saved`: Buffers own them then. */
Napi::Object from_saved(Napi::Env env, struct tcp_saved &saved);

/** The queues stay the Buffers' own: the result lives no longer than `from`. */
struct tcp_saved to_saved(const Napi::Object &from);
