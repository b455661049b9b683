/* openInband: the in-band endpoint (native/inband/inband.h) on the event loop. */

#include <cerrno>
#include <memory>
#include <vector>

#include "napi/poller.h"
#include "napi/register.h"
#include "napi/values.h"

extern "C" {
#include "inband/inband.h"
}

/* Packets for one turn of the event loop; what is left wakes it again. */
constexpr int kBatch = 64;

static Napi::Object from_segment(Napi::Env env, const struct inband_segment &segment) {
    return from_members(env, {{"source", from_address(env, segment.source)},
                              {"destination", from_address(env, segment.destination)},
                              {"seq", segment.seq},
                              {"ack", segment.ack},
                              {"option", Napi::Buffer<uint8_t>::Copy(env, segment.option, segment.option_length)},
                              {"body", Napi::Buffer<uint8_t>::Copy(env, segment.body, segment.body_length)}});
}

static void receive(Poller &poller, int family, int protocol, uint8_t *buffer, const Callback &callback) {
    for (int i = 0; i < kBatch && poller.fd() >= 0; i++) {
        struct inband_segment segment;
        int result = inband_receive(poller.fd(), family, protocol, buffer, &segment);
        if (result == -EAGAIN) return;
        if (result <= 0) continue;
        Napi::HandleScope scope(poller.env());
        callback.call({from_segment(poller.env(), segment)});
    }
}

static void send(const Napi::CallbackInfo &info, int protocol, const Poller &poller) {
    Napi::Env env = info.Env();
    Napi::Object object = info[0].As<Napi::Object>();
    Napi::Buffer<uint8_t> option = buffer(object, "option"), body = buffer(object, "body");
    struct inband_segment segment = {};

    if (poller.fd() < 0) fail(env, -EBADF, "sendmsg");
    segment.source = to_address(object.Get("source"));
    segment.destination = to_address(object.Get("destination"));
    segment.seq = number(object, "seq");
    segment.ack = number(object, "ack");
    segment.option = option.Data();
    segment.option_length = option.Length();
    segment.body = body.Data();
    segment.body_length = body.Length();
    check(env, inband_send(poller.fd(), protocol, &segment), "sendmsg");
}

static Napi::Value open_inband(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    int family = integer(info[0]) == 6 ? AF_INET6 : AF_INET;
    int protocol = info[2].IsUndefined() ? IPPROTO_TCP : IPPROTO_UDP;
    auto callback = std::make_shared<Callback>(info[1], "migrun.inband");
    auto buffer = std::make_shared<std::vector<uint8_t>>(INBAND_PACKET_MAX);
    int fd = check(env, inband_open(family, protocol), "socket");

    std::shared_ptr<Poller> poller = Poller::open(env, fd, [family, protocol, callback, buffer](Poller &ready, int) {
        receive(ready, family, protocol, buffer->data(), *callback);
    });
    Napi::Object endpoint = watch_object(poller);
    add(endpoint, "send", [poller, protocol](const Napi::CallbackInfo &call) { send(call, protocol, *poller); });
    return endpoint;
}

void register_inband(Napi::Env, Napi::Object exports) { add(exports, "openInband", open_inband); }
