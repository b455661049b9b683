/* NativeTcp of src/native/tcp.ts: conversion only, the mechanics are in native/tcp/. */

#include "napi/register.h"
#include "napi/socket_values.h"

#include <cerrno>
#include <vector>

extern "C" {
#include "tcp/sequences.h"
#include "tcp/user_timeout.h"
}

namespace {

Napi::Value save(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    std::vector<struct tcp_saved> saved(fds.size());
    check_many(info.Env(), tcp_save, fds.data(), fds.size(), saved.data());
    return from_items(info.Env(), saved.data(), saved.size(),
                      [&info](struct tcp_saved &one) { return from_saved(info.Env(), one); });
}

using Batch = int (*)(const int *, size_t, struct failure *);

template <Batch batch> void run(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    check_many(info.Env(), batch, fds.data(), fds.size());
}

int revive_one(const Napi::Object &request, int fd, struct failure *failure) {
    struct tcp_saved saved = to_saved(object(request.Get("saved"), "saved"));
    union socket_address local = to_address_of(saved.family, request.Get("local"));
    union socket_address remote = to_address_of(saved.family, request.Get("remote"));
    return tcp_revive(fd, &saved, &local, &remote, number(request, "peerHas"), failure);
}

void revive(const Napi::CallbackInfo &info) {
    Napi::Array requests = array(info[0], "requests");
    std::vector<int> fds;
    struct failure failure = {};
    for (uint32_t i = 0; i < requests.Length(); i++) {
        Napi::HandleScope scope(info.Env());
        Napi::Object request = object(requests.Get(i), "request");
        fds.push_back(int(number(request, "fd")));
        failure.index = i;
        check(info.Env(), revive_one(request, fds.back(), &failure), failure);
    }
    if (!info[1].ToBoolean()) check_many(info.Env(), tcp_release, fds.data(), fds.size());
}

void connect_again(const Napi::CallbackInfo &info) {
    int fd = integer(info[0]), family = integer(info[1]);
    Napi::Object connection = object(info[2], "connection");
    union socket_address local = to_address_of(family, connection.Get("local"));
    union socket_address remote = to_address_of(family, connection.Get("remote"));
    const char *step = nullptr;
    int result = tcp_connect_again(fd, &local, &remote, &step);
    check(info.Env(), result, step);
}

void close_silently(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    tcp_close_silently(fds.data(), fds.size());
}

Napi::Value sequences(const Napi::CallbackInfo &info) {
    Napi::Object connection = object(info[0], "connection");
    union socket_address local = to_address(object(connection.Get("local"), "local"));
    union socket_address remote = to_address_of(local.any.sa_family, connection.Get("remote"));
    struct tcp_sequences found;
    int result = tcp_sequences(&local, &remote, &found);
    if (result == -ENOENT) return info.Env().Null();
    check(info.Env(), result, "BPF_PROG_TEST_RUN");
    return from_members(
        info.Env(),
        {{"sndNxt", found.snd_nxt}, {"sndUna", found.snd_una}, {"rcvNxt", found.rcv_nxt}, {"state", found.state}});
}

Napi::Value user_timeouts(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    std::vector<uint32_t> timeouts(fds.size());
    check_many(info.Env(), tcp_user_timeouts, fds.data(), fds.size(), timeouts.data());
    return from_numbers(info.Env(), timeouts);
}

/* One timeout for each descriptor. */
std::vector<uint32_t> to_timeouts(const Napi::Value &array, size_t count) {
    std::vector<uint32_t> timeouts = to_numbers(array);
    if (timeouts.size() != count) throw Napi::TypeError::New(array.Env(), "one timeout for each socket is required");
    return timeouts;
}

void set_user_timeouts(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    std::vector<uint32_t> timeouts = to_timeouts(info[1], fds.size());
    check_many(info.Env(), tcp_set_user_timeouts, fds.data(), fds.size(), timeouts.data());
}

void extend_user_timeouts(const Napi::CallbackInfo &info) {
    std::vector<int> fds = to_integers(info[0]);
    std::vector<uint32_t> own = to_timeouts(info[1], fds.size());
    uint32_t lease = info[2].ToNumber().Uint32Value();
    check_many(info.Env(), tcp_extend_user_timeouts, fds.data(), fds.size(), lease, own.data());
}

Napi::Value is_window_shut(const Napi::CallbackInfo &info) {
    bool shut;
    check(info.Env(), tcp_is_window_shut(integer(info[0]), &shut), "TCP_INFO");
    return Napi::Boolean::New(info.Env(), shut);
}

} // namespace

void register_tcp(Napi::Env, Napi::Object exports) {
    add(exports, "tcpSave", save);
    add(exports, "tcpUnsave", run<tcp_unsave>);
    add(exports, "tcpRevive", revive);
    add(exports, "tcpRelease", run<tcp_release>);
    add(exports, "tcpCloseSilently", close_silently);
    add(exports, "tcpConnectAgain", connect_again);
    add(exports, "tcpSequences", sequences);
    add(exports, "tcpUserTimeouts", user_timeouts);
    add(exports, "tcpSetUserTimeouts", set_user_timeouts);
    add(exports, "tcpExtendUserTimeouts", extend_user_timeouts);
    add(exports, "tcpIsWindowShut", is_window_shut);
    add(exports, "tcpOpenWindows", run<tcp_open_windows>);
}
