/* The addon's entry: every file beside this one adds its functions to one flat object. */

#include "napi/register.h"

static Napi::Object Init(Napi::Env env, Napi::Object exports) {
    register_socket(env, exports);
    register_tcp(env, exports);
    register_udp(env, exports);
    register_unix(env, exports);
    register_accept(env, exports);
    register_inband(env, exports);
    register_lookup(env, exports);
    register_freeze(env, exports);
    register_epoll(env, exports);
    register_kernel(env, exports);
    register_message_socket(env, exports);
    register_registry(env, exports);
    return exports;
}

NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)
