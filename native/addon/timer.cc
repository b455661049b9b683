/* setTimer, clockNow: native/timer.h. Nanoseconds are BigInts. */

#include "host_parts.h"
#include "values.h"

extern "C" {
#include "kernel/timer.h"
}

static int64_t to_int64(const Napi::Value &value) {
    bool lossless;
    return value.As<Napi::BigInt>().Int64Value(&lossless);
}

static void set_timer(const Napi::CallbackInfo &info) {
    Napi::Object given = info[1].As<Napi::Object>();
    struct timer_setting setting = {};

    setting.flags = given.Get("flags").As<Napi::Number>().Int32Value();
    setting.end_ns = to_int64(given.Get("end"));
    setting.interval_ns = to_int64(given.Get("interval"));
    setting.expirations = static_cast<uint64_t>(to_int64(given.Get("expirations")));
    check(info.Env(), timer_set(info[0].As<Napi::Number>().Int32Value(), &setting), "timerfd_settime");
}

static Napi::Value clock_now(const Napi::CallbackInfo &info) {
    int64_t now = timer_clock_now(info[0].As<Napi::Number>().Int32Value());

    if (now < 0) fail(info.Env(), static_cast<int>(now), "clock_gettime");
    return Napi::BigInt::New(info.Env(), now);
}

void register_timers(Napi::Env env, Napi::Object exports) {
    exports.Set("setTimer", Napi::Function::New(env, set_timer, "setTimer"));
    exports.Set("clockNow", Napi::Function::New(env, clock_now, "clockNow"));
}
