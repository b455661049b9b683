/* The addon's entry: every file beside this one adds its functions to one flat object. */

#include "register.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
    register_sockets(env, exports);
    register_accept_queue(env, exports);
    register_udp(env, exports);
    register_unix(env, exports);
    register_patience(env, exports);
    register_options(env, exports);
    register_host(env, exports);
    register_epoll_edges(env, exports);
    register_registry(env, exports);
    return exports;
}

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
