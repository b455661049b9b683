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

Napi::Object from_program_socket(Napi::Env env, const struct program_socket &socket) {
    return from_members(env, {{"fd", socket.fd},
                              {"inode", socket.inode},
                              {"pid", socket.pid},
                              {"pfd", socket.pfd},
                              {"family", socket.family},
                              {"type", socket.type},
                              {"protocol", socket.protocol},
                              {"state", socket.state},
                              {"local", from_address(env, socket.local)},
                              {"remote", from_address(env, socket.remote)},
                              {"backlog", socket.backlog},
                              {"backlogLimit", socket.backlog_limit},
                              {"ended", socket.ended},
                              {"obstacles", from_bits(env, socket.obstacles, obstacle_names)}});
}

/* What is a number here and there, for both directions. */
template <typename Visit> static void each_number(struct tcp_saved &saved, Visit visit) {
    visit("family", saved.family);
    visit("state", saved.state);
    visit("sndUna", saved.snd_una);
    visit("rcvNxt", saved.rcv_nxt);
    visit("options", saved.options);
    visit("sndWscale", saved.snd_wscale);
    visit("rcvWscale", saved.rcv_wscale);
    visit("mssClamp", saved.mss_clamp);
    visit("timestamp", saved.timestamp);
}

template <typename Visit> static void each_number(struct tcp_repair_window &window, Visit visit) {
    visit("sndWl1", window.snd_wl1);
    visit("sndWnd", window.snd_wnd);
    visit("maxWindow", window.max_window);
    visit("rcvWnd", window.rcv_wnd);
    visit("rcvWup", window.rcv_wup);
}

template <typename Numbers> static void set_numbers(Napi::Object &object, Numbers &numbers) {
    each_number(numbers, [&object](const char *name, uint32_t value) { object.Set(name, double(value)); });
}

template <typename Numbers> static void get_numbers(const Napi::Object &object, Numbers &numbers) {
    each_number(numbers, [&object](const char *name, auto &value) {
        value = static_cast<std::remove_reference_t<decltype(value)>>(number(object, name));
    });
}

Napi::Object from_saved(Napi::Env env, struct tcp_saved &saved) {
    Napi::Object window = Napi::Object::New(env);
    set_numbers(window, saved.window);
    Napi::Object out = from_members(env, {{"local", from_address(env, saved.local)},
                                          {"remote", from_address(env, saved.remote)},
                                          {"finSent", saved.fin_sent},
                                          {"finReceived", saved.fin_received},
                                          {"sendQueue", from_bytes(env, saved.send_queue, saved.send_length)},
                                          {"receiveQueue", from_bytes(env, saved.receive_queue, saved.receive_length)},
                                          {"window", window},
                                          {"reuseAddress", saved.reuse_address != 0}});
    set_numbers(out, saved);
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
    get_numbers(from, saved);
    get_numbers(object(from.Get("window"), "window"), saved.window);
    saved.fin_sent = flag(from, "finSent");
    saved.fin_received = flag(from, "finReceived");
    to_queue(from, "sendQueue", saved.send_queue, saved.send_length);
    to_queue(from, "receiveQueue", saved.receive_queue, saved.receive_length);
    saved.reuse_address = from.Has("reuseAddress") ? flag(from, "reuseAddress") : -1;
    return saved;
}
