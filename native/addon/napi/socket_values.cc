#include "socket_values.h"

#include <string>

extern "C" {
#include "socket/obstacles.h"
}

static const char *const obstacle_names[] = {
    "ebpf-filter",   "locked-filter",     "upper-layer",       "authentication", "urgent-data", "zerocopy",
    "error-queue",   "interface",         "extension-headers", "fast-open",      "ended",       "corked",
    "encapsulation", "timestamp-numbers", "flow-label",        "saved-syn",
};
static_assert(sizeof obstacle_names / sizeof *obstacle_names == OBSTACLES, "one name each");

static Napi::Array from_obstacles(Napi::Env env, uint32_t obstacles) {
    Napi::Array out = Napi::Array::New(env);
    for (int i = 0; i < OBSTACLES; i++)
        if (obstacles & 1u << i) out.Set(out.Length(), Napi::String::New(env, obstacle_names[i]));
    return out;
}

Napi::Object from_program_socket(Napi::Env env, const struct program_socket &socket) {
    Napi::Object out = Napi::Object::New(env);
    out.Set("fd", Napi::Number::New(env, socket.fd));
    out.Set("inode", Napi::Number::New(env, double(socket.inode)));
    out.Set("pid", Napi::Number::New(env, socket.pid));
    out.Set("pfd", Napi::Number::New(env, socket.pfd));
    out.Set("family", Napi::Number::New(env, socket.family));
    out.Set("type", Napi::Number::New(env, socket.type));
    out.Set("protocol", Napi::Number::New(env, socket.protocol));
    out.Set("state", Napi::Number::New(env, socket.state));
    out.Set("local", from_address(env, socket.local));
    out.Set("remote", from_address(env, socket.remote));
    out.Set("backlog", Napi::Number::New(env, socket.backlog));
    out.Set("backlogLimit", Napi::Number::New(env, socket.backlog_limit));
    out.Set("ended", Napi::Boolean::New(env, socket.ended));
    out.Set("obstacles", from_obstacles(env, socket.obstacles));
    return out;
}

/* Hands the malloc'd bytes over to a Buffer, which frees them. */
static Napi::Value from_queue(Napi::Env env, uint8_t *&queue, uint32_t length) {
    if (length == 0) return Napi::Buffer<uint8_t>::New(env, 0);
    uint8_t *bytes = queue;
    queue = nullptr;
    return Napi::Buffer<uint8_t>::NewOrCopy(env, bytes, length, [](Napi::Env, uint8_t *data) { free(data); });
}

Napi::Object from_saved(Napi::Env env, struct tcp_saved &saved) {
    Napi::Object out = Napi::Object::New(env), window = Napi::Object::New(env);
    auto put = [env](Napi::Object &into, const char *name, uint32_t value) {
        into.Set(name, Napi::Number::New(env, value));
    };
    put(out, "family", uint32_t(saved.family));
    put(out, "state", uint32_t(saved.state));
    out.Set("local", from_address(env, saved.local));
    out.Set("remote", from_address(env, saved.remote));
    put(out, "sndUna", saved.snd_una);
    put(out, "rcvNxt", saved.rcv_nxt);
    out.Set("finSent", Napi::Boolean::New(env, saved.fin_sent));
    out.Set("finReceived", Napi::Boolean::New(env, saved.fin_received));
    out.Set("sendQueue", from_queue(env, saved.send_queue, saved.send_length));
    out.Set("receiveQueue", from_queue(env, saved.receive_queue, saved.receive_length));
    put(out, "options", saved.options);
    put(out, "sndWscale", saved.snd_wscale);
    put(out, "rcvWscale", saved.rcv_wscale);
    put(out, "mssClamp", saved.mss_clamp);
    put(out, "timestamp", saved.timestamp);
    put(window, "sndWl1", saved.window.snd_wl1);
    put(window, "sndWnd", saved.window.snd_wnd);
    put(window, "maxWindow", saved.window.max_window);
    put(window, "rcvWnd", saved.window.rcv_wnd);
    put(window, "rcvWup", saved.window.rcv_wup);
    out.Set("window", window);
    out.Set("reuseAddress", Napi::Boolean::New(env, saved.reuse_address != 0));
    return out;
}

static void to_queue(const Napi::Object &object, const char *name, uint8_t *&queue, uint32_t &length) {
    Napi::Buffer<uint8_t> bytes = buffer(object, name);
    if (bytes.Length() > INT32_MAX) throw Napi::RangeError::New(object.Env(), std::string(name) + " is too long");
    queue = bytes.Data();
    length = uint32_t(bytes.Length());
}

struct tcp_saved to_saved(const Napi::Object &from) {
    struct tcp_saved saved = {};
    Napi::Object window = object(from.Get("window"), "window");
    saved.family = int(number(from, "family"));
    saved.state = int(number(from, "state"));
    saved.snd_una = number(from, "sndUna");
    saved.rcv_nxt = number(from, "rcvNxt");
    saved.fin_sent = flag(from, "finSent");
    saved.fin_received = flag(from, "finReceived");
    to_queue(from, "sendQueue", saved.send_queue, saved.send_length);
    to_queue(from, "receiveQueue", saved.receive_queue, saved.receive_length);
    saved.options = uint8_t(number(from, "options"));
    saved.snd_wscale = uint8_t(number(from, "sndWscale"));
    saved.rcv_wscale = uint8_t(number(from, "rcvWscale"));
    saved.mss_clamp = number(from, "mssClamp");
    saved.timestamp = number(from, "timestamp");
    saved.window.snd_wl1 = number(window, "sndWl1");
    saved.window.snd_wnd = number(window, "sndWnd");
    saved.window.max_window = number(window, "maxWindow");
    saved.window.rcv_wnd = number(window, "rcvWnd");
    saved.window.rcv_wup = number(window, "rcvWup");
    saved.reuse_address = from.Has("reuseAddress") ? flag(from, "reuseAddress") : -1;
    return saved;
}
