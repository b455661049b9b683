/* The parts of NativeHost that have a file of their own; register_host() (host.cc) adds them all. */
#pragma once

#include <napi.h>

/** watchExit, watchDeath, watchTcpEnds (watch.cc). */
void register_watches(Napi::Env env, Napi::Object exports);
/** setTimer, clockNow (timer.cc). */
void register_timers(Napi::Env env, Napi::Object exports);
/** openInband (inband.cc). */
void register_inband(Napi::Env env, Napi::Object exports);
/** openMessageSocket (message_socket.cc). */
void register_message_socket(Napi::Env env, Napi::Object exports);
