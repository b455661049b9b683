/* Values of src/native/contract.ts to and from what the C files take, and their errors. */
#pragma once

#include <napi.h>

#include <cstdint>
#include <vector>

extern "C" {
#include "socket/socket.h"
}

/** Throws an Error with `code` (an errno name) and `syscall`; `error` is a negative errno. */
[[noreturn]] void fail(Napi::Env env, int error, const char *syscall);

/** Returns a result that is 0 or more; throws the error that another one stands for. */
int check(Napi::Env env, int result, const char *syscall);

/** The same for a call that takes many: the error also says in `index` which one it was. */
void check(Napi::Env env, int result, const struct failure &failure);

/** Members of an object, and values, of one kind; throw a TypeError where they are of another. */
uint32_t number(const Napi::Object &object, const char *name);
int32_t integer(const Napi::Object &object, const char *name);
bool flag(const Napi::Object &object, const char *name);
Napi::Object object(const Napi::Value &value, const char *name);
Napi::Array array(const Napi::Value &value, const char *name);
Napi::Buffer<uint8_t> buffer(const Napi::Object &object, const char *name);

/** Reads an Endpoint; throws EINVAL for a text that is no address and a number that is no port. */
union socket_address to_address(Napi::Value endpoint);

/** The same for a socket of this family: IPv4 text becomes a mapped address for an IPv6 one. */
union socket_address to_address_of(int family, const Napi::Value &endpoint);
Napi::Object from_address(Napi::Env env, const union socket_address &address);

/** An address without its port, from and to text. */
union socket_address to_plain_address(const Napi::Value &text);
Napi::String address_text(Napi::Env env, const union socket_address &address);

std::vector<uint32_t> to_numbers(Napi::Value array);
std::vector<int> to_integers(const Napi::Value &array);
template <typename Number> Napi::Array from_numbers(Napi::Env env, const std::vector<Number> &numbers) {
    Napi::Array out = Napi::Array::New(env, numbers.size());
    for (size_t i = 0; i < numbers.size(); i++) out.Set(uint32_t(i), Napi::Number::New(env, double(numbers[i])));
    return out;
}
