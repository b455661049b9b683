/* A descriptor watched on Node's event loop, and calls from there into JavaScript. */
#pragma once

#include <napi.h>
#include <uv.h>

#include <functional>
#include <initializer_list>
#include <memory>

/** A JavaScript function that is called from the event loop; what it throws becomes an uncaughtException. */
class Callback {
  public:
    Callback(Napi::Value function, const char *resource);
    /** Needs a HandleScope. */
    void call(const std::initializer_list<napi_value> &arguments) const;

  private:
    Napi::FunctionReference function_;
    Napi::AsyncContext context_;
};

/**
 * Watches one descriptor, level-triggered, and keeps the event loop alive, until close() or the end of the
 * environment. The descriptor belongs to it, also when open() throws.
 */
class Poller : public std::enable_shared_from_this<Poller> {
  public:
    /** Called within a HandleScope with the UV_* events; an error on the descriptor counts as readable. May close(). */
    using Ready = std::function<void(Poller &poller, int events)>;

    static std::shared_ptr<Poller> open(Napi::Env env, int fd, Ready ready);

    /** Changes what it waits for: UV_READABLE, UV_WRITABLE. Not after close(). */
    void watch(int events);
    /** Ends the watch and closes the descriptor at once. May be called again. Drops the Ready function. */
    void close();
    /** -1 once closed. */
    int fd() const { return fd_; }
    Napi::Env env() const { return env_; }

  private:
    Poller(Napi::Env env, int fd, Ready ready);
    static void on_poll(uv_poll_t *handle, int status, int events);
    static void on_closed(uv_handle_t *handle);
    static void on_teardown(napi_async_cleanup_hook_handle hook, void *poller);

    Napi::Env env_;
    int fd_;
    int events_ = UV_READABLE;
    /* Shared with a call that is under way, so that close() may drop it from within. */
    std::shared_ptr<Ready> ready_;
    uv_poll_t handle_{};
    napi_async_cleanup_hook_handle hook_ = nullptr;
    /* Keeps this object until libuv is through with the handle. */
    std::shared_ptr<Poller> self_;
};

/** The contract's Watch: an object with close(). */
Napi::Object watch_object(std::shared_ptr<Poller> poller);
