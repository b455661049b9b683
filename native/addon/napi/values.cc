#include "values.h"

#include <cerrno>
#include <cstring>
#include <string>

void fail(Napi::Env env, int error, const char *syscall) {
    const char *name = strerrorname_np(-error);
    std::string code = name ? name : "EUNKNOWN";
    Napi::Error thrown = Napi::Error::New(env, code + ": " + strerror(-error) + ", " + syscall);
    thrown.Set("code", Napi::String::New(env, code));
    thrown.Set("syscall", Napi::String::New(env, syscall));
    throw thrown;
}

int check(Napi::Env env, int result, const char *syscall) {
    if (result < 0) fail(env, result, syscall);
    return result;
}

void check(Napi::Env env, int result, const struct failure &failure) {
    try {
        check(env, result, failure.step);
    } catch (Napi::Error &error) {
        error.Set("index", Napi::Number::New(env, double(failure.index)));
        throw;
    }
}

static Napi::Number number_of(const Napi::Object &object, const char *name) {
    Napi::Value value = object.Get(name);
    if (!value.IsNumber()) throw Napi::TypeError::New(object.Env(), std::string(name) + " must be a number");
    return value.As<Napi::Number>();
}

uint32_t number(const Napi::Object &object, const char *name) { return number_of(object, name).Uint32Value(); }

int32_t integer(const Napi::Object &object, const char *name) { return number_of(object, name).Int32Value(); }

bool flag(const Napi::Object &object, const char *name) { return object.Get(name).ToBoolean(); }

Napi::Object object(const Napi::Value &value, const char *name) {
    if (!value.IsObject()) throw Napi::TypeError::New(value.Env(), std::string(name) + " must be an object");
    return value.As<Napi::Object>();
}

Napi::Array array(const Napi::Value &value, const char *name) {
    if (!value.IsArray()) throw Napi::TypeError::New(value.Env(), std::string(name) + " must be an array");
    return value.As<Napi::Array>();
}

Napi::Buffer<uint8_t> buffer(const Napi::Object &object, const char *name) {
    Napi::Value value = object.Get(name);
    if (!value.IsBuffer()) throw Napi::TypeError::New(object.Env(), std::string(name) + " must be a Buffer");
    return value.As<Napi::Buffer<uint8_t>>();
}

void Member::set(Napi::Object &object) const {
    switch (kind_) {
    case NUMBER: object.Set(name_, number_); return;
    case BOOL: object.Set(name_, number_ != 0); return;
    case VALUE: object.Set(name_, value_);
    }
}

Napi::Object from_members(Napi::Env env, std::initializer_list<Member> members) {
    Napi::Object object = Napi::Object::New(env);
    for (const Member &member : members) member.set(object);
    return object;
}

Napi::Value from_bytes(Napi::Env env, uint8_t *&bytes, uint32_t length) {
    if (length == 0) return Napi::Buffer<uint8_t>::New(env, 0);
    uint8_t *own = bytes;
    bytes = nullptr;
    return Napi::Buffer<uint8_t>::NewOrCopy(env, own, length, [](Napi::Env, uint8_t *data) { free(data); });
}

union socket_address to_address(const Napi::Value &endpoint) {
    Napi::Object object = endpoint.As<Napi::Object>();
    std::string text = object.Get("address").As<Napi::String>();
    uint32_t port = object.Get("port").As<Napi::Number>().Uint32Value();
    int family = text.find(':') == std::string::npos ? AF_INET : AF_INET6;
    union socket_address address;

    if (port > UINT16_MAX) fail(endpoint.Env(), -EINVAL, "inet_pton");
    int result = socket_address_parse(&address, family, text.c_str(), static_cast<uint16_t>(port));
    check(endpoint.Env(), result, "inet_pton");
    return address;
}

union socket_address to_address_of(int family, const Napi::Value &endpoint) {
    if (!endpoint.IsObject()) throw Napi::TypeError::New(endpoint.Env(), "an endpoint must be an object");
    union socket_address address = to_address(endpoint);
    if (address.any.sa_family == family) return address;
    char text[INET6_ADDRSTRLEN];
    uint16_t port = socket_address_port(&address);
    socket_address_text(&address, text);
    check(endpoint.Env(), socket_address_parse(&address, family, text, port), "inet_pton");
    return address;
}

union socket_address to_plain_address(const Napi::Value &text) {
    return to_address(from_members(text.Env(), {{"address", text}, {"port", 0}}));
}

Napi::String address_text(Napi::Env env, const union socket_address &address) {
    char text[INET6_ADDRSTRLEN];

    socket_address_text(&address, text);
    return Napi::String::New(env, text);
}

Napi::Object from_address(Napi::Env env, const union socket_address &address) {
    return from_members(env, {{"address", address_text(env, address)}, {"port", socket_address_port(&address)}});
}

std::vector<uint32_t> to_numbers(const Napi::Value &array) {
    Napi::Array values = array.As<Napi::Array>();
    std::vector<uint32_t> numbers(values.Length());
    for (uint32_t i = 0; i < values.Length(); i++) numbers[i] = values.Get(i).As<Napi::Number>().Uint32Value();
    return numbers;
}

std::vector<int> to_integers(const Napi::Value &array) {
    std::vector<uint32_t> numbers = to_numbers(array);
    return std::vector<int>(numbers.begin(), numbers.end());
}
