/* NativeUdp of src/native/udp.ts: conversion only, the mechanics are in native/udp/. */

#include "napi/register.h"
#include "napi/values.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

extern "C" {
#include "udp/udp.h"
}

namespace {

/* Saved sockets, which are freed with this object. */
struct Saved {
    std::vector<struct udp_saved> items;

    explicit Saved(size_t count) : items(count) {}
    Saved(const Saved &) = delete;
    ~Saved() {
        for (struct udp_saved &saved : items) udp_saved_clear(&saved);
    }
};

/* Memory that udp_saved_clear() frees. */
template <typename Item> Item *allocate(Napi::Env env, size_t count) {
    if (count == 0) return nullptr;
    auto *items = static_cast<Item *>(calloc(count, sizeof(Item)));
    if (!items) fail(env, -ENOMEM, "calloc");
    return items;
}

Napi::Array from_interfaces(Napi::Env env, const struct udp_saved &saved) {
    return from_items(env, saved.interfaces, saved.interface_count, [env](const struct udp_interface &one) {
        Napi::Value interface = Napi::String::New(env, one.interface);
        return from_members(env, {{"level", one.level}, {"name", one.name}, {"interface", interface}});
    });
}

Napi::Array from_memberships(Napi::Env env, const struct udp_saved &saved) {
    auto text = [env](const union socket_address &address) { return address_text(env, address); };
    return from_items(env, saved.memberships, saved.membership_count, [&](const struct udp_membership &one) {
        return from_members(env, {{"interface", Napi::String::New(env, one.interface)},
                                  {"group", text(one.group)},
                                  {"excludes", one.mode == MCAST_EXCLUDE},
                                  {"sources", from_items(env, one.sources, one.source_count, text)}});
    });
}

Napi::Array from_datagrams(Napi::Env env, struct udp_saved &saved) {
    return from_items(env, saved.datagrams, saved.datagram_count, [env](struct udp_datagram &one) {
        return from_members(env, {{"source", from_address(env, one.source)},
                                  {"destination", address_text(env, one.destination)},
                                  {"hopLimit", one.hop_limit},
                                  {"trafficClass", one.traffic_class},
                                  {"bytes", from_bytes(env, one.bytes, one.length)}});
    });
}

Napi::Object from_saved(Napi::Env env, struct udp_saved &saved) {
    union socket_address interface = {};
    interface.v4.sin_family = AF_INET;
    interface.v4.sin_addr = saved.multicast_interface;
    return from_members(env, {{"family", saved.family},
                              {"local", from_address(env, saved.local)},
                              {"remote", from_address(env, saved.remote)},
                              {"multicastInterface", address_text(env, interface)},
                              {"interfaces", from_interfaces(env, saved)},
                              {"memberships", from_memberships(env, saved)},
                              {"datagrams", from_datagrams(env, saved)}});
}

void to_interface_name(const Napi::Object &from, char name[IF_NAMESIZE]) {
    std::string text = from.Get("interface").ToString();
    if (text.size() >= IF_NAMESIZE) throw Napi::RangeError::New(from.Env(), "an interface's name is too long");
    strcpy(name, text.c_str());
}

struct udp_interface to_interface(const Napi::Object &from) {
    struct udp_interface interface = {integer(from, "level"), integer(from, "name"), ""};
    to_interface_name(from, interface.interface);
    return interface;
}

void to_membership(const Napi::Object &from, struct udp_membership &membership) {
    Napi::Array sources = array(from.Get("sources"), "sources");
    if (sources.Length() > MEMBERSHIP_SOURCES_MAX) throw Napi::RangeError::New(from.Env(), "too many sources");
    to_interface_name(from, membership.interface);
    membership.group = to_plain_address(from.Get("group"));
    membership.mode = from.Get("excludes").ToBoolean() ? MCAST_EXCLUDE : MCAST_INCLUDE;
    membership.source_count = sources.Length();
    for (uint32_t i = 0; i < sources.Length(); i++) membership.sources[i] = to_plain_address(sources.Get(i));
}

void to_datagram(const Napi::Object &from, int family, struct udp_datagram &datagram) {
    Napi::Buffer<uint8_t> bytes = buffer(from, "bytes");
    if (bytes.Length() > UINT16_MAX) throw Napi::RangeError::New(from.Env(), "a datagram is too long");
    datagram.source = to_address_of(family, from.Get("source"));
    datagram.destination = to_plain_address(from.Get("destination"));
    datagram.hop_limit = uint8_t(integer(from, "hopLimit"));
    datagram.traffic_class = uint8_t(integer(from, "trafficClass"));
    datagram.length = uint32_t(bytes.Length());
    datagram.bytes = allocate<uint8_t>(from.Env(), bytes.Length());
    std::copy(bytes.Data(), bytes.Data() + bytes.Length(), datagram.bytes);
}

/* Converts each object of an array, into memory that udp_saved_clear() frees. */
template <typename Item, typename To>
void to_allocated(const Napi::Object &from, const char *name, Item *&items, size_t &count, To to) {
    Napi::Array given = array(from.Get(name), name);
    items = allocate<Item>(from.Env(), given.Length());
    count = given.Length();
    for (uint32_t i = 0; i < count; i++) {
        Napi::HandleScope scope(from.Env());
        to(object(given.Get(i), name), items[i]);
    }
}

void to_saved(const Napi::Object &from, struct udp_saved &saved) {
    std::vector<struct udp_interface> interfaces = to_items(from.Get("interfaces"), "interfaces", to_interface);

    saved.family = integer(from, "family");
    saved.multicast_interface = to_plain_address(from.Get("multicastInterface")).v4.sin_addr;
    if (interfaces.size() > UDP_INTERFACES_MAX) throw Napi::RangeError::New(from.Env(), "too many interfaces");
    saved.interface_count = interfaces.size();
    std::copy(interfaces.begin(), interfaces.end(), saved.interfaces);
    to_allocated(from, "memberships", saved.memberships, saved.membership_count, to_membership);
    to_allocated(
        from, "datagrams", saved.datagrams, saved.datagram_count,
        [&saved](const Napi::Object &one, struct udp_datagram &into) { to_datagram(one, saved.family, into); });
}

Napi::Value save(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    Saved saved(fds.size());
    check_many(info.Env(), udp_save, fds.data(), fds.size(), saved.items.data());
    return from_items(info.Env(), saved.items.data(), fds.size(),
                      [&info](struct udp_saved &one) { return from_saved(info.Env(), one); });
}

Napi::Value revive(const Napi::CallbackInfo &info) {
    Napi::Array requests = array(info[0], "requests");
    Saved saved(requests.Length());
    std::vector<struct udp_revival> revivals(requests.Length());
    for (uint32_t i = 0; i < requests.Length(); i++) {
        Napi::HandleScope scope(info.Env());
        Napi::Object request = object(requests.Get(i), "request");
        to_saved(object(request.Get("saved"), "saved"), saved.items[i]);
        revivals[i].fd = integer(request, "fd");
        revivals[i].saved = &saved.items[i];
        revivals[i].local = to_address_of(saved.items[i].family, request.Get("local"));
        revivals[i].remote = to_address_of(saved.items[i].family, request.Get("remote"));
    }
    check_many(info.Env(), udp_revive, revivals.data(), revivals.size());
    return from_items(info.Env(), revivals.data(), revivals.size(), [&info](const struct udp_revival &one) {
        return Napi::Number::New(info.Env(), double(one.lost));
    });
}

Napi::Value interfaces(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    char(*names)[IF_NAMESIZE] = nullptr;
    size_t count = 0;
    check(env, udp_interfaces(integer(info[0]), &names, &count), "getsockopt");
    std::unique_ptr<char[][IF_NAMESIZE], decltype(&free)> owner(names, free);
    return from_items(env, names, count, [env](const char *name) { return Napi::String::New(env, name); });
}

Napi::Value await_sent(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    size_t index = 0;
    int sent = check(info.Env(), udp_await_sent(fds.data(), fds.size(), integer(info[1]), &index), "SIOCOUTQ");
    return sent ? info.Env().Null() : Napi::Value(Napi::Number::New(info.Env(), double(index)));
}

void reconnect(const Napi::CallbackInfo &info) {
    int fd = integer(info[0]), family = AF_UNSPEC;
    check(info.Env(), socket_get(fd, SOL_SOCKET, SO_DOMAIN, &family), "getsockopt");
    union socket_address remote = to_address_of(family, info[1]);
    check(info.Env(), udp_reconnect(fd, &remote), "connect");
}

Napi::Value has_interface(const Napi::CallbackInfo &info) {
    std::string name = info[0].ToString();
    return Napi::Boolean::New(info.Env(), udp_has_interface(name.c_str()));
}

} // namespace

void register_udp(Napi::Env, Napi::Object exports) {
    add(exports, "udpHasInterface", has_interface);
    add(exports, "udpInterfaces", interfaces);
    add(exports, "udpAwaitSent", await_sent);
    add(exports, "udpReconnect", reconnect);
    add(exports, "udpSave", save);
    add(exports, "udpRevive", revive);
}
