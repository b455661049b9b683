#include "unix_diag.h"

#include "result.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

__u32 inode_of(int fd) {
    struct stat found;

    need(fstat(fd, &found));
    return (__u32)found.st_ino;
}

static void take(struct unix_told *told, const struct rtattr *part) {
    const struct unix_diag_rqlen *queues = RTA_DATA(part);

    switch (part->rta_type) {
    case UNIX_DIAG_PEER:
        told->has_peer = true;
        memcpy(&told->peer, RTA_DATA(part), sizeof(told->peer));
        break;
    case UNIX_DIAG_RQLEN:
        told->receives = queues->udiag_rqueue;
        told->sends = queues->udiag_wqueue;
        break;
    case UNIX_DIAG_ICONS:
        told->waiting = (int)(RTA_PAYLOAD(part) / sizeof(__u32));
        expect(told->waiting <= MOST_WAITING, "%d connections wait", told->waiting);
        memcpy(told->waits, RTA_DATA(part), RTA_PAYLOAD(part));
    }
}

struct unix_told unix_told_of(int fd) {
    struct {
        struct nlmsghdr header;
        struct unix_diag_req body;
    } request = {
        .header = {.nlmsg_len = sizeof(request), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        .body = {.sdiag_family = AF_UNIX,
                 .udiag_states = ~0u,
                 .udiag_ino = inode_of(fd),
                 .udiag_cookie = {~0u, ~0u},
                 .udiag_show = UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN},
    };
    _Alignas(struct nlmsghdr) char answer[4096];
    struct nlmsghdr *header = (struct nlmsghdr *)answer;
    struct unix_told told = {0};
    int diag = need(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
    struct unix_diag_msg *found = NLMSG_DATA(header);
    int left;

    need(send(diag, &request, sizeof(request), 0));
    need(recv(diag, answer, sizeof(answer), 0));
    close(diag);
    expect(header->nlmsg_type == SOCK_DIAG_BY_FAMILY, "the socket is not listed");
    told.state = found->udiag_state;
    left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof(*found)));
    for (struct rtattr *part = (struct rtattr *)(found + 1); RTA_OK(part, left); part = RTA_NEXT(part, left))
        take(&told, part);
    return told;
}
