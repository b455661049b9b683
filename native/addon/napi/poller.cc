#include "poller.h"

#include <unistd.h>

#include <utility>

#include "register.h"
#include "values.h"

Callback::Callback(Napi::Value function, const char *resource)
    : function_(Napi::Persistent(function.As<Napi::Function>())), context_(function.Env(), resource) {}

void Callback::call(const std::initializer_list<napi_value> &arguments) const {
    Napi::Env env = function_.Env();
    try {
        function_.MakeCallback(env.Global(), arguments, context_);
    } catch (const Napi::Error &error) {
        napi_fatal_exception(env, error.Value());
    }
}

Poller::Poller(Napi::Env env, int fd, Ready ready)
    : env_(env), fd_(fd), ready_(std::make_shared<Ready>(std::move(ready))) {
    handle_.data = this;
}

std::shared_ptr<Poller> Poller::open(Napi::Env env, int fd, Ready ready) {
    std::shared_ptr<Poller> poller(new Poller(env, fd, std::move(ready)));
    uv_loop_t *loop = nullptr;

    napi_get_uv_event_loop(env, &loop);
    int result = uv_poll_init(loop, &poller->handle_, fd);
    if (result < 0) {
        ::close(fd);
        fail(env, result, "uv_poll_init");
    }
    poller->self_ = poller;
    napi_add_async_cleanup_hook(env, on_teardown, poller.get(), &poller->hook_);
    poller->watch(UV_READABLE);
    return poller;
}

void Poller::watch(int events) {
    events_ = events;
    uv_poll_start(&handle_, events_, on_poll);
}

void Poller::close() {
    if (fd_ < 0) return;
    uv_close(reinterpret_cast<uv_handle_t *>(&handle_), on_closed);
    ::close(fd_);
    fd_ = -1;
    ready_.reset();
}

void Poller::on_poll(uv_poll_t *handle, int status, int events) {
    std::shared_ptr<Poller> poller = static_cast<Poller *>(handle->data)->self_;
    std::shared_ptr<Ready> ready = poller->ready_;
    Napi::HandleScope scope(poller->env_);

    (*ready)(*poller, status < 0 ? UV_READABLE : events);
    /* libuv stops the watch at EPOLLERR (uv__poll_io). */
    if (status < 0 && poller->fd_ >= 0) poller->watch(poller->events_);
}

void Poller::on_closed(uv_handle_t *handle) {
    Poller *poller = static_cast<Poller *>(handle->data);
    napi_async_cleanup_hook_handle hook = poller->hook_;

    poller->self_.reset();
    napi_remove_async_cleanup_hook(hook);
}

void Poller::on_teardown(napi_async_cleanup_hook_handle, void *poller) { static_cast<Poller *>(poller)->close(); }

Napi::Object watch_object(std::shared_ptr<Poller> poller) {
    Napi::Object watch = Napi::Object::New(poller->env());
    add(watch, "close", [poller](const Napi::CallbackInfo &) { poller->close(); });
    return watch;
}
