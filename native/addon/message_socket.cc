/* openMessageSocket: whole messages over SOCK_SEQPACKET on the event loop. */

#include <sys/socket.h>

#include <cerrno>
#include <deque>
#include <memory>
#include <vector>

#include "napi/poller.h"
#include "napi/register.h"
#include "napi/values.h"

/* The longest message, and how many are read in one turn of the event loop. */
constexpr size_t kMessageMax = 64 * 1024;
constexpr int kBatch = 64;

/* What waits until the socket takes more. */
using Queue = std::deque<std::vector<uint8_t>>;

/* 0 or -errno. */
static int send_now(int fd, const uint8_t *data, size_t length) {
    ssize_t sent;
    do sent = ::send(fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

/* Sends what waits, until the socket is full again. 0 or -errno. */
static int flush(Poller &poller, Queue &queue) {
    while (!queue.empty()) {
        const std::vector<uint8_t> &message = queue.front();
        int result = send_now(poller.fd(), message.data(), message.size());
        if (result == -EAGAIN) return 0;
        if (result < 0) return result;
        queue.pop_front();
    }
    poller.watch(UV_READABLE);
    return 0;
}

/* Hands on what has come. Returns 0, or a negative value where no more will come. */
static int receive(Poller &poller, uint8_t *buffer, const Callback &on_message) {
    for (int i = 0; i < kBatch && poller.fd() >= 0; i++) {
        ssize_t length = ::recv(poller.fd(), buffer, kMessageMax, MSG_TRUNC | MSG_DONTWAIT);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0) return errno == EAGAIN ? 0 : -errno;
        if (length == 0) return -ENOTCONN;
        if (static_cast<size_t>(length) > kMessageMax) return -EMSGSIZE;
        Napi::HandleScope scope(poller.env());
        on_message.call({Napi::Buffer<uint8_t>::Copy(poller.env(), buffer, static_cast<size_t>(length))});
    }
    return 0;
}

/* An empty message cannot be told from the end (recv(2) returns 0 for both). */
static void send_message(const Napi::CallbackInfo &info, Poller &poller, Queue &queue) {
    Napi::Buffer<uint8_t> message = info[0].As<Napi::Buffer<uint8_t>>();

    if (poller.fd() < 0) fail(info.Env(), -EBADF, "send");
    if (message.Length() == 0) fail(info.Env(), -EINVAL, "send");
    if (message.Length() > kMessageMax) fail(info.Env(), -EMSGSIZE, "send");
    if (queue.empty()) {
        int result = send_now(poller.fd(), message.Data(), message.Length());
        if (result != -EAGAIN) {
            check(info.Env(), result, "send");
            return;
        }
        poller.watch(UV_READABLE | UV_WRITABLE);
    }
    queue.emplace_back(message.Data(), message.Data() + message.Length());
}

static Napi::Value open_message_socket(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    auto on_message = std::make_shared<Callback>(info[1], "migrun.messageSocket");
    auto on_close = std::make_shared<Callback>(info[2], "migrun.messageSocket");
    auto buffer = std::make_shared<std::vector<uint8_t>>(kMessageMax);
    auto queue = std::make_shared<Queue>();

    auto ready = [on_message, on_close, buffer, queue](Poller &poller, int events) {
        int result = events & UV_WRITABLE ? flush(poller, *queue) : 0;
        if (events & UV_READABLE) {
            int received = receive(poller, buffer->data(), *on_message);
            if (received < 0) result = received;
        }
        if (result == 0 || poller.fd() < 0) return;
        poller.close();
        on_close->call({});
    };
    std::shared_ptr<Poller> poller = Poller::open(env, integer(info[0]), ready);
    Napi::Object socket = watch_object(poller);
    add(socket, "send", [poller, queue](const Napi::CallbackInfo &call) { send_message(call, *poller, *queue); });
    return socket;
}

void register_message_socket(Napi::Env, Napi::Object exports) {
    add(exports, "openMessageSocket", open_message_socket);
}
