/* Values of src/native/contract.ts to and from what the C files take, and their errors. */
#pragma once

#include <napi.h>

#include <cstdint>
#include <vector>

extern "C" {
#include "socket/address.h"
}

/** Throws an Error with `code` (an errno name) and `syscall`; `error` is a negative errno. */
[[noreturn]] void fail(Napi::Env env, int error, const char *syscall);

/** A result that is 0 or more, else the error that it stands for. */
int check(Napi::Env env, int result, const char *syscall);

/** An Endpoint; throws EINVAL for a text that is no address and a number that is no port. */
union socket_address to_address(Napi::Value endpoint);

/** For a socket of this family: IPv4 text becomes a mapped address for an IPv6 one. */
union socket_address to_address_of(int family, const Napi::Value &endpoint);
Napi::Object from_address(Napi::Env env, const union socket_address &address);

/** An address without its port, as text. */
Napi::String address_text(Napi::Env env, const union socket_address &address);

std::vector<uint32_t> to_numbers(Napi::Value array);
