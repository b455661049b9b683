/* NativeOptions of src/native/contract.ts: conversion only, the mechanics are in the C files. */

#include "register.h"
#include "values.h"

#include <cerrno>
#include <cstring>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

extern "C" {
#include "socket/socket.h"
#include "socket/options.h"
}

namespace {

Napi::Value from_options(Napi::Env env, const struct socket_option *options, size_t count) {
    Napi::Array out = Napi::Array::New(env, count);
    for (size_t i = 0; i < count; i++) {
        Napi::Object one = Napi::Object::New(env);
        one.Set("level", Napi::Number::New(env, options[i].level));
        one.Set("name", Napi::Number::New(env, options[i].name));
        one.Set("value", Napi::Buffer<uint8_t>::Copy(env, options[i].value, options[i].length));
        out.Set(uint32_t(i), one);
    }
    return out;
}

struct Untouched : untouched_sockets {
    Untouched() : untouched_sockets{} {}
    ~Untouched() { untouched_sockets_free(this); }
};

Napi::Value read_options(const Napi::CallbackInfo &info) {
    std::vector<uint32_t> fds = to_numbers(info[0]);
    Untouched untouched;
    std::vector<struct socket_option> options(SOCKET_OPTIONS_MAX);
    Napi::Array out = Napi::Array::New(info.Env(), fds.size());
    for (size_t i = 0; i < fds.size(); i++) {
        Napi::HandleScope scope(info.Env());
        size_t count = 0;
        check(info.Env(), socket_options_read(int(fds[i]), &untouched, options.data(), &count), "getsockopt");
        out.Set(uint32_t(i), from_options(info.Env(), options.data(), count));
    }
    return out;
}

struct socket_option to_option(const Napi::Object &from) {
    struct socket_option option = {};
    Napi::Value value = from.Get("value");
    if (!value.IsTypedArray()) throw Napi::TypeError::New(from.Env(), "an option's value must be bytes");
    Napi::Uint8Array bytes = value.As<Napi::Uint8Array>();
    if (bytes.ByteLength() > sizeof option.value)
        throw Napi::RangeError::New(from.Env(), "an option's value is too long");
    option.level = from.Get("level").ToNumber().Int32Value();
    option.name = from.Get("name").ToNumber().Int32Value();
    option.length = uint32_t(bytes.ByteLength());
    memcpy(option.value, bytes.Data(), option.length);
    return option;
}

std::vector<struct socket_option> to_options(const Napi::Value &value) {
    if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), "an array of options is required");
    Napi::Array array = value.As<Napi::Array>();
    std::vector<struct socket_option> options;
    for (uint32_t i = 0; i < array.Length(); i++) {
        Napi::Value one = array.Get(i);
        if (!one.IsObject()) throw Napi::TypeError::New(value.Env(), "an option must be an object");
        options.push_back(to_option(one.As<Napi::Object>()));
    }
    return options;
}

void write_options(const Napi::CallbackInfo &info) {
    std::vector<uint32_t> fds = to_numbers(info[0]);
    Napi::Array lists = info[1].As<Napi::Array>();
    bool early = info[2].ToBoolean();
    Untouched untouched;
    for (uint32_t i = 0; i < fds.size(); i++) {
        Napi::HandleScope scope(info.Env());
        std::vector<struct socket_option> options = to_options(lists.Get(i));
        const char *refused = "setsockopt";
        int result = socket_options_write(int(fds[i]), &untouched, options.data(), options.size(), early, &refused);
        if (result < 0) fail(info.Env(), result, refused);
    }
}

Napi::Value refused_option(const Napi::CallbackInfo &info) {
    std::vector<struct socket_option> options = to_options(info[3]);
    const char *refused = nullptr;
    int type = info[1].ToNumber().Int32Value() | SOCK_CLOEXEC;
    int fd = socket(info[0].ToNumber().Int32Value(), type, info[2].ToNumber().Int32Value());
    if (fd < 0) check(info.Env(), -errno, "socket");
    Untouched untouched;
    int result = socket_options_write(fd, &untouched, options.data(), options.size(), true, &refused);
    close(fd);
    return result < 0 ? Napi::Value(Napi::String::New(info.Env(), refused)) : info.Env().Null();
}

Napi::Value why_not_bound(const Napi::CallbackInfo &info) {
    int family = info[0].ToNumber().Int32Value();
    std::vector<struct socket_option> options = to_options(info[1]);
    union socket_address local = to_address_of(family, info[2]);
    const char *ignored = nullptr;
    Untouched untouched;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) check(info.Env(), -errno, "socket");
    socket_options_write(fd, &untouched, options.data(), options.size(), true, &ignored);
    int result = socket_bind(fd, &local, info[3].ToBoolean() ? 1 : -1, &ignored);
    close(fd);
    return result < 0 ? Napi::Value(Napi::String::New(info.Env(), strerrorname_np(-result))) : info.Env().Null();
}

} // namespace

void register_options(Napi::Env env, Napi::Object exports) {
    exports.Set("readOptions", Napi::Function::New(env, read_options, "readOptions"));
    exports.Set("writeOptions", Napi::Function::New(env, write_options, "writeOptions"));
    exports.Set("whyNotBound", Napi::Function::New(env, why_not_bound, "whyNotBound"));
    exports.Set("refusedOption", Napi::Function::New(env, refused_option, "refusedOption"));
}
