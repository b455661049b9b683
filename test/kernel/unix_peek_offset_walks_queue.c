/* With SO_PEEK_OFF, MSG_PEEK walks through a UNIX socket's queue and takes nothing; SO_PASSCRED tells empty messages from its end.
 *
 * Source: __unix_dgram_recvmsg() in net/unix/af_unix.c and __skb_try_recv_from_queue() in net/core/datagram.c. Credentials come
 * with every message, also one that was sent before SO_PASSCRED was set; the end of a sequence of messages has none, that of a
 * stream has (unix_stream_read_generic()). An empty message has no bytes to move the offset on: it is marked as peeked, and each
 * walk passes over it from then on. poll(2) tells of it all the same (unix_poll()). A descriptor in a message is given out at
 * each look, and stays in it (unix_peek_fds()).
 * Relied on by: the look into the queues of a program that stands still, as CRIU takes an empty message for the end. */
#include "harness/result.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const texts[] = {"", "two", "", "", "five"};
enum { TEXTS = sizeof(texts) / sizeof(*texts) };

struct seen {
    ssize_t size;
    bool has_credentials;
    int fd; /* -1: none */
    char bytes[64];
};

static void set(int fd, int option, int value) { need(setsockopt(fd, SOL_SOCKET, option, &value, sizeof(value))); }

static struct seen look(int fd, int flags) {
    struct seen seen = {.fd = -1};
    _Alignas(struct cmsghdr) char control[256];
    struct iovec data = {seen.bytes, sizeof(seen.bytes)};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};

    seen.size = recvmsg(fd, &message, flags | MSG_DONTWAIT);
    if (seen.size < 0) return seen;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(&message); item; item = CMSG_NXTHDR(&message, item)) {
        seen.has_credentials |= item->cmsg_type == SCM_CREDENTIALS;
        if (item->cmsg_type == SCM_RIGHTS) memcpy(&seen.fd, CMSG_DATA(item), sizeof(seen.fd));
    }
    return seen;
}

static void expect_text(const struct seen *seen, const char *text) {
    expect(seen->size == (ssize_t)strlen(text) && !memcmp(seen->bytes, text, strlen(text)),
           "%zd bytes in place of \"%s\"", seen->size, text);
    expect(seen->has_credentials, "\"%s\" has no credentials", text);
}

static void send_with(int to, const char *text, int passed) {
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec data = {(void *)text, strlen(text)};
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
    struct cmsghdr *item = CMSG_FIRSTHDR(&message);

    *item = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(item), &passed, sizeof(passed));
    need(sendmsg(to, &message, 0));
}

static bool same_file(int fd, int other) {
    struct stat one, two;

    need(fstat(fd, &one));
    need(fstat(other, &two));
    return one.st_ino == two.st_ino && one.st_dev == two.st_dev;
}

static bool is_readable(int fd) {
    struct pollfd asked = {fd, POLLIN, 0};

    need(poll(&asked, 1, 0));
    return asked.revents & POLLIN;
}

static void expect_end(int fd, int type, bool is_closed) {
    struct seen seen = look(fd, MSG_PEEK);

    if (type == SOCK_DGRAM || !is_closed)
        expect(seen.size < 0 && errno == EAGAIN, "there is one more");
    else
        expect(seen.size == 0 && seen.has_credentials == (type == SOCK_STREAM), "the end has%s credentials",
               seen.has_credentials ? "" : " no");
}

static void messages(int type) {
    int ends[2], passed[2];
    struct seen seen;

    need(socketpair(AF_UNIX, type, 0, ends));
    need(pipe(passed));
    for (int i = 0; i < TEXTS - 1; i++) need(send(ends[1], texts[i], strlen(texts[i]), 0));
    send_with(ends[1], texts[TEXTS - 1], passed[1]);
    set(ends[0], SO_PASSCRED, 1);
    set(ends[0], SO_PEEK_OFF, 0);
    for (int i = 0; i < TEXTS; i++) {
        seen = look(ends[0], MSG_PEEK);
        expect_text(&seen, texts[i]);
    }
    expect(seen.fd >= 0 && seen.fd != passed[1] && same_file(seen.fd, passed[1]), "the descriptor was not given out");
    expect_end(ends[0], type, false);

    set(ends[0], SO_PEEK_OFF, 0);
    for (int i = 0; i < TEXTS; i++) {
        if (!*texts[i]) continue;
        seen = look(ends[0], MSG_PEEK);
        expect_text(&seen, texts[i]);
    }
    close(ends[1]);
    expect_end(ends[0], type, true);
    set(ends[0], SO_PEEK_OFF, -1);
    for (int i = 0; i < TEXTS; i++) {
        expect(is_readable(ends[0]), "\"%s\" is not told of", texts[i]);
        seen = look(ends[0], 0);
        expect_text(&seen, texts[i]);
    }
    expect(seen.fd >= 0 && same_file(seen.fd, passed[1]), "the descriptor is not in its message any more");
    expect_end(ends[0], type, true);
}

static void only_empty(void) {
    int ends[2];

    need(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends));
    need(send(ends[1], "", 0, 0));
    set(ends[0], SO_PEEK_OFF, 0);
    expect(look(ends[0], MSG_PEEK).size == 0, "the empty message is not there");
    set(ends[0], SO_PEEK_OFF, 0);
    expect(look(ends[0], MSG_PEEK).size < 0 && errno == EAGAIN, "the empty message is there for a second walk");
    expect(is_readable(ends[0]), "poll does not tell of it");
    set(ends[0], SO_PEEK_OFF, -1);
    expect(look(ends[0], 0).size == 0 && !is_readable(ends[0]), "the empty message was lost");
}

static void stream(void) {
    int ends[2];
    struct seen seen;

    need(socketpair(AF_UNIX, SOCK_STREAM, 0, ends));
    need(send(ends[1], "bytes", 5, 0));
    need(send(ends[1], "", 0, 0));
    close(ends[1]);
    set(ends[0], SO_PASSCRED, 1);
    set(ends[0], SO_PEEK_OFF, 0);
    seen = look(ends[0], MSG_PEEK);
    expect_text(&seen, "bytes");
    expect_end(ends[0], SOCK_STREAM, true);
    set(ends[0], SO_PEEK_OFF, -1);
    seen = look(ends[0], 0);
    expect_text(&seen, "bytes");
}

static void body(void) {
    messages(SOCK_DGRAM);
    messages(SOCK_SEQPACKET);
    only_empty();
    stream();
    holds("%d messages, three of them empty, which the first walk alone shows, and a stream, which has no empty ones",
          TEXTS);
}

int main(void) { return check(body); }
