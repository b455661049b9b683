/* NativeKernel of src/native/kernel.ts: processes and files; conversion only, the mechanics are in native/kernel/. */

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "napi/poller.h"
#include "napi/register.h"
#include "napi/values.h"

extern "C" {
#include "kernel/files.h"
#include "kernel/process.h"
}

static Napi::Value open_process(const Napi::CallbackInfo &info) {
    return Napi::Number::New(info.Env(), check(info.Env(), process_open(integer(info[0])), "pidfd_open"));
}

static Napi::Value take_fd(const Napi::CallbackInfo &info) {
    int fd = check(info.Env(), process_take_fd(integer(info[0]), integer(info[1])), "pidfd_getfd");
    return Napi::Number::New(info.Env(), fd);
}

static void become_subreaper(const Napi::CallbackInfo &info) { check(info.Env(), process_become_subreaper(), "prctl"); }

static void set_affinity(const Napi::CallbackInfo &info) {
    std::vector<uint32_t> cpus = to_numbers(info[1].As<Napi::Array>());
    check(info.Env(), process_set_affinity(integer(info[0]), cpus.data(), cpus.size()), "sched_setaffinity");
}

/* A descriptor of the watch's own: the caller may close its pidfd at any time, and watch it twice. */
static int duplicate(const Napi::CallbackInfo &info) {
    int pidfd = fcntl(integer(info[0]), F_DUPFD_CLOEXEC, 0);
    return check(info.Env(), pidfd < 0 ? -errno : pidfd, "fcntl");
}

static Napi::Value watch_exit(const Napi::CallbackInfo &info) {
    auto callback = std::make_shared<Callback>(info[1], "migrun.watchExit");
    check(info.Env(), process_check_child(integer(info[0])), "waitid");

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

static void close_fd(const Napi::CallbackInfo &info) {
    if (close(integer(info[0])) < 0) fail(info.Env(), -errno, "close");
}

template <int (*pair)(int ends[2])> static Napi::Value make_pair(const Napi::CallbackInfo &info) {
    std::vector<int> ends(2);
    check(info.Env(), pair(ends.data()), pair == pipe_pair ? "pipe2" : "socketpair");
    return from_numbers(info.Env(), ends);
}

static Napi::Value make_pty(const Napi::CallbackInfo &info) {
    Napi::Env env = info.Env();
    int master, slave;
    auto rows = static_cast<uint16_t>(integer(info[0])), columns = static_cast<uint16_t>(integer(info[1]));

    check(env, open_pty(rows, columns, &master, &slave), "posix_openpt");
    return from_members(env, {{"master", master}, {"slave", slave}});
}

static void resize_pty(const Napi::CallbackInfo &info) {
    auto rows = static_cast<uint16_t>(integer(info[1])), columns = static_cast<uint16_t>(integer(info[2]));
    check(info.Env(), set_window_size(integer(info[0]), rows, columns), "ioctl");
}

static int64_t to_int64(const Napi::Value &value) {
    bool lossless;
    return value.As<Napi::BigInt>().Int64Value(&lossless);
}

/* Times are BigInts of nanoseconds. */
static void change_timer(const Napi::CallbackInfo &info) {
    Napi::Object given = info[1].As<Napi::Object>();
    struct timer_setting setting = {};

    setting.flags = integer(given, "flags");
    setting.end_ns = to_int64(given.Get("end"));
    setting.interval_ns = to_int64(given.Get("interval"));
    setting.expirations = static_cast<uint64_t>(to_int64(given.Get("expirations")));
    check(info.Env(), set_timer(integer(info[0]), &setting), "timerfd_settime");
}

static Napi::Value read_clock(const Napi::CallbackInfo &info) {
    int64_t now = clock_now(integer(info[0]));

    if (now < 0) fail(info.Env(), static_cast<int>(now), "clock_gettime");
    return Napi::BigInt::New(info.Env(), now);
}

static Napi::Value events_of(const Napi::CallbackInfo &info) {
    short events = 0;
    check(info.Env(), poll_events(integer(info[0]), &events), "poll");
    return Napi::Number::New(info.Env(), events);
}

static void give_new_name(const Napi::CallbackInfo &info) {
    std::string from = info[0].As<Napi::String>(), to = info[1].As<Napi::String>();
    check(info.Env(), rename_exclusive(from.c_str(), to.c_str()), "renameat2");
}

void register_kernel(Napi::Env, Napi::Object exports) {
    add(exports, "processOpen", open_process);
    add(exports, "processTakeFd", take_fd);
    add(exports, "processBecomeSubreaper", become_subreaper);
    add(exports, "processSetAffinity", set_affinity);
    add(exports, "watchExit", watch_exit);
    add(exports, "watchDeath", watch_death);
    add(exports, "closeFd", close_fd);
    add(exports, "pipePair", make_pair<pipe_pair>);
    add(exports, "seqpacketPair", make_pair<seqpacket_pair>);
    add(exports, "openPty", make_pty);
    add(exports, "setWindowSize", resize_pty);
    add(exports, "setTimer", change_timer);
    add(exports, "clockNow", read_clock);
    add(exports, "pollEvents", events_of);
    add(exports, "renameExclusive", give_new_name);
}
