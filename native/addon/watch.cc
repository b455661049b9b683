/* Ends as events: of a process (a pidfd turns readable when it has ended), and of TCP sockets. */

#include <fcntl.h>

#include <cerrno>
#include <memory>

#include "host_parts.h"
#include "poller.h"
#include "values.h"

extern "C" {
#include "lookup/diag_ends.h"
#include "kernel/process.h"
}

/* A descriptor of the watch's own: the caller may close its pidfd at any time, and watch it twice. */
static int duplicate(const Napi::CallbackInfo &info) {
    int pidfd = fcntl(info[0].As<Napi::Number>().Int32Value(), F_DUPFD_CLOEXEC, 0);
    return check(info.Env(), pidfd < 0 ? -errno : pidfd, "fcntl");
}

static Napi::Value watch_exit(const Napi::CallbackInfo &info) {
    auto callback = std::make_shared<Callback>(info[1], "migrun.watchExit");
    check(info.Env(), process_check_child(info[0].As<Napi::Number>().Int32Value()), "waitid");

    return watch_object(Poller::open(info.Env(), duplicate(info), [callback](Poller &poller, int) {
        int code = 0;
        int result = process_reap(poller.fd(), &code);
        if (result == -EAGAIN) return;
        poller.close();
        /* Somebody else waited for it and knows how it ended: the shell's code for what it cannot tell. */
        if (result < 0) code = 127;
        callback->call({Napi::Number::New(poller.env(), code)});
    }));
}

static Napi::Value watch_death(const Napi::CallbackInfo &info) {
    auto callback = std::make_shared<Callback>(info[1], "migrun.watchDeath");

    return watch_object(Poller::open(info.Env(), duplicate(info), [callback](Poller &poller, int) {
        poller.close();
        callback->call({});
    }));
}

static Napi::Value watch_tcp_ends(const Napi::CallbackInfo &info) {
    auto callback = std::make_shared<Callback>(info[0], "migrun.watchTcpEnds");
    int fd = check(info.Env(), diag_ends_open(), "sock_diag");

    return watch_object(Poller::open(info.Env(), fd, [callback](Poller &poller, int) {
        diag_ends_take(poller.fd());
        callback->call({});
    }));
}

void register_watches(Napi::Env env, Napi::Object exports) {
    exports.Set("watchExit", Napi::Function::New(env, watch_exit, "watchExit"));
    exports.Set("watchTcpEnds", Napi::Function::New(env, watch_tcp_ends, "watchTcpEnds"));
    exports.Set("watchDeath", Napi::Function::New(env, watch_death, "watchDeath"));
}
