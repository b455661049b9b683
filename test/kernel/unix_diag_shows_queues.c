/* unix_diag tells a sender what of it nobody has received, empty messages too; a receiver only bytes; a listener its backlog.
 *
 * Source: sk_diag_show_rqlen() in net/unix/diag.c: unix_inq_len() in net/unix/af_unix.c adds up the bytes that wait in a stream
 * or a sequence of messages, and of datagrams tells the first one's; unix_outq_len() tells the memory of what was sent, which is
 * charged to the sender until it is received. A listening socket has in their place how many wait, and how many may.
 * Relied on by: the preflight, which refuses a connection that was written to before it is accepted. */
#include "harness/result.h"
#include "harness/unix_diag.h"

#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST = 5, SECOND = 7, BACKLOG = 3 };

static void pair_of(int type, __u32 wanted) {
    struct unix_told receiver, sender;
    char bytes[64] = {0};
    int ends[2];

    need(socketpair(AF_UNIX, type, 0, ends));
    sender = unix_told_of(ends[1]);
    expect(sender.receives == 0 && sender.sends == 0, "fresh ones have %u and %u", sender.receives, sender.sends);
    expect(sender.has_peer && sender.peer == inode_of(ends[0]), "it is not told who is at its other end");
    need(send(ends[1], bytes, FIRST, 0));
    need(send(ends[1], bytes, SECOND, 0));
    receiver = unix_told_of(ends[0]);
    sender = unix_told_of(ends[1]);
    expect(receiver.receives == wanted && receiver.sends == 0, "%u and %u at the receiver", receiver.receives,
           receiver.sends);
    expect(sender.receives == 0 && sender.sends > FIRST + SECOND, "%u and %u at the sender", sender.receives,
           sender.sends);
    for (int i = 0; i < 2; i++)
        need(recv(ends[0], bytes, type == SOCK_STREAM ? (i == 0 ? FIRST : SECOND) : sizeof(bytes), 0));
    expect(unix_told_of(ends[1]).sends == 0, "what was received counts yet");
    if (type == SOCK_STREAM) return;
    need(send(ends[1], bytes, 0, 0));
    receiver = unix_told_of(ends[0]);
    expect(receiver.receives == 0, "an empty message has %u bytes", receiver.receives);
    expect(unix_told_of(ends[1]).sends > 0, "an empty message does not count at its sender");
}

static void listener(void) {
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0queues"};
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + sizeof("\0queues") - 1;
    int listening = need(socket(AF_UNIX, SOCK_STREAM, 0)), made[2];
    struct unix_told told;

    need(bind(listening, (struct sockaddr *)&name, size));
    need(listen(listening, BACKLOG));
    for (int i = 0; i < 2; i++) {
        made[i] = need(socket(AF_UNIX, SOCK_STREAM, 0));
        need(connect(made[i], (struct sockaddr *)&name, size));
    }
    need(send(made[1], "early", 5, 0));
    told = unix_told_of(listening);
    expect(told.state == TCP_LISTEN && told.receives == 2 && told.sends == BACKLOG, "%u of %u wait", told.receives,
           told.sends);
    expect(unix_told_of(made[0]).sends == 0, "one that has said nothing has");
    expect(unix_told_of(made[1]).sends > 0, "what was written before it is accepted is not told");
}

static void body(void) {
    pair_of(SOCK_STREAM, FIRST + SECOND);
    pair_of(SOCK_SEQPACKET, FIRST + SECOND);
    pair_of(SOCK_DGRAM, FIRST);
    listener();
    holds("streams, sequences and datagrams, and a listening socket");
}

int main(void) { return check(body); }
