/* Values of src/native/index.ts to and from what the C files take, and their errors. */
#pragma once

#include <napi.h>

#include <cstdint>
#include <initializer_list>
#include <type_traits>
#include <vector>

extern "C" {
#include "socket/socket.h"
}

/** Throws an Error with `code` (an errno name) and `syscall`; `error` is a negative errno. */
[[noreturn]] void fail(Napi::Env env, int error, const char *syscall);

/** Returns a result that is 0 or more; throws the error that another one stands for. */
int check(Napi::Env env, int result, const char *syscall);

/** Checks a call that takes many: the error also says in `index` which one it was. */
void check(Napi::Env env, int result, const struct failure &failure);

/** Makes a call that takes many, with its last argument, the failure, and checks it. */
template <typename Function, typename... Arguments>
void check_many(Napi::Env env, Function function, Arguments... arguments) {
    struct failure failure = {};
    check(env, function(arguments..., &failure), failure);
}

/** Members of an object, and values, of one kind; throw a TypeError where they are of another. */
uint32_t number(const Napi::Object &object, const char *name);
int32_t integer(const Napi::Object &object, const char *name);
bool flag(const Napi::Object &object, const char *name);
Napi::Object object(const Napi::Value &value, const char *name);
Napi::Array array(const Napi::Value &value, const char *name);
Napi::Buffer<uint8_t> buffer(const Napi::Object &object, const char *name);

/** A value that is a number; throws where it is none. */
inline int32_t integer(const Napi::Value &value) { return value.As<Napi::Number>().Int32Value(); }

/** A member of an object that is made: its name, and a number, a bool or a value. */
class Member {
  public:
    template <typename Number, typename = std::enable_if_t<std::is_arithmetic_v<Number>>>
    Member(const char *name, Number number)
        : name_(name), kind_(std::is_same_v<Number, bool> ? BOOL : NUMBER), number_(static_cast<double>(number)) {}
    Member(const char *name, Napi::Value value) : name_(name), kind_(VALUE), value_(value) {}

    void set(Napi::Object &object) const;

  private:
    const char *name_;
    enum { NUMBER, BOOL, VALUE } kind_;
    double number_ = 0;
    Napi::Value value_;
};

Napi::Object from_members(Napi::Env env, std::initializer_list<Member> members);

/** An array of what `from` makes of each item. */
template <typename Item, typename From> Napi::Array from_items(Napi::Env env, Item *items, size_t count, From from) {
    Napi::Array out = Napi::Array::New(env, count);
    for (size_t i = 0; i < count; i++) {
        Napi::HandleScope scope(env);
        out.Set(uint32_t(i), from(items[i]));
    }
    return out;
}

/** What `to` makes of each object of an array. */
template <typename To> auto to_items(const Napi::Value &value, const char *name, To to) {
    Napi::Array given = array(value, name);
    std::vector<decltype(to(Napi::Object()))> items;
    for (uint32_t i = 0; i < given.Length(); i++) {
        Napi::HandleScope scope(value.Env());
        items.push_back(to(object(given.Get(i), name)));
    }
    return items;
}

std::vector<uint32_t> to_numbers(const Napi::Value &array);
std::vector<int> to_integers(const Napi::Value &array);
template <typename Number> Napi::Array from_numbers(Napi::Env env, const std::vector<Number> &numbers) {
    auto from = [env](Number number) { return Napi::Number::New(env, static_cast<double>(number)); };
    return from_items(env, numbers.data(), numbers.size(), from);
}

/** The names of the bits that are set; those beyond have none. */
template <size_t count> Napi::Array from_bits(Napi::Env env, uint32_t bits, const char *const (&names)[count]) {
    Napi::Array out = Napi::Array::New(env);
    for (size_t i = 0; i < count; i++)
        if (bits & 1u << i) out.Set(out.Length(), names[i]);
    return out;
}

/** Hands malloc'd bytes over to a Buffer, which frees them. */
Napi::Value from_bytes(Napi::Env env, uint8_t *&bytes, uint32_t length);

/** Reads an Endpoint; throws EINVAL for a text that is no address and a number that is no port. */
union socket_address to_address(const Napi::Value &endpoint);

/** Reads an address for a socket of this family: IPv4 text becomes a mapped address for an IPv6 one. */
union socket_address to_address_of(int family, const Napi::Value &endpoint);
Napi::Object from_address(Napi::Env env, const union socket_address &address);

/** An address without its port, from and to text. */
union socket_address to_plain_address(const Napi::Value &text);
Napi::String address_text(Napi::Env env, const union socket_address &address);
