/* unix_diag tells a listener who made a UNIX connection that waits to be accepted, 0 once that end is closed; its maker it tells no peer.
 *
 * Source: sk_diag_dump_icons() in net/unix/diag.c looks into the listening socket's queue for the other ends of what waits there;
 * what waits has no inode yet, so sk_diag_dump_peer() tells 0 of it, until it is accepted.
 * Relied on by: the preflight, which lets a program's connections to itself wait, and refuses other programs'. */
#include "harness/result.h"
#include "harness/unix_diag.h"

#include <netinet/tcp.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MADE = 3 };

static void kind(int type, struct sockaddr_un *name, socklen_t size) {
    int listening = need(socket(AF_UNIX, type, 0)), made[MADE], accepted;
    __u32 inodes[MADE];
    struct unix_told told;

    need(bind(listening, (struct sockaddr *)name, size));
    need(listen(listening, MADE));
    for (int i = 0; i < MADE; i++) {
        made[i] = need(socket(AF_UNIX, type, 0));
        need(connect(made[i], (struct sockaddr *)name, size));
        inodes[i] = inode_of(made[i]);
        told = unix_told_of(made[i]);
        expect(told.state == TCP_ESTABLISHED && told.peer == 0, "one that waits has peer %u", told.peer);
    }
    close(made[1]);
    told = unix_told_of(listening);
    expect(told.waiting == MADE, "%d wait", told.waiting);
    expect(told.waits[0] == inodes[0] && told.waits[1] == 0 && told.waits[2] == inodes[2], "%u, %u and %u wait",
           told.waits[0], told.waits[1], told.waits[2]);
    accepted = need(accept(listening, NULL, NULL));
    expect(unix_told_of(listening).waiting == MADE - 1, "the accepted one waits yet");
    expect(unix_told_of(made[0]).peer == inode_of(accepted), "the accepted one is nobody's peer");
}

static void body(void) {
    struct sockaddr_un streams = {.sun_family = AF_UNIX, .sun_path = "\0streams"},
                       packets = {.sun_family = AF_UNIX, .sun_path = "\0packets"};
    socklen_t size = offsetof(struct sockaddr_un, sun_path) + sizeof("\0streams") - 1;

    kind(SOCK_STREAM, &streams, size);
    kind(SOCK_SEQPACKET, &packets, size);
    holds("%d connections, of which one was closed and one was accepted, by streams and sequences of messages", MADE);
}

int main(void) { return check(body); }
