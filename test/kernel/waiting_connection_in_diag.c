/* A connection that waits to be accepted is listed by sock_diag with inode 0, and with the cgroup that its listener was made in.
 *
 * Source: inet_sk_diag_fill() and inet_diag_msg_attrs_fill() in net/ipv4/inet_diag.c (INET_DIAG_CGROUP_ID); cgroup_sk_clone() in
 * kernel/cgroup/cgroup.c. The id of a cgroup is the inode of its folder.
 * Relied on by: preflight, which asks the other ends of waiting connections too, and touches none of them. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/task.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t cgroup_of(const struct nlmsghdr *message) {
    const struct rtattr *one = (void *)((char *)NLMSG_DATA(message) + sizeof(struct inet_diag_msg));
    int left = message->nlmsg_len - NLMSG_LENGTH(sizeof(struct inet_diag_msg));
    uint64_t cgroup = 0;

    for (; RTA_OK(one, left); one = RTA_NEXT(one, left))
        if (one->rta_type == INET_DIAG_CGROUP_ID) memcpy(&cgroup, RTA_DATA(one), sizeof(cgroup));
    return cgroup;
}

/* How many connections there are with this inode and this cgroup. */
static int count(int family, uint32_t inode, uint64_t cgroup) {
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 body;
    } request = {
        .header = {sizeof(request), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0},
        .body = {.sdiag_family = family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = 1 << TCP_ESTABLISHED},
    };
    _Alignas(struct nlmsghdr) static char reply[65536];
    int fd = need(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG)), found = 0;

    need(send(fd, &request, sizeof(request), 0));
    for (;;) {
        int left = need(recv(fd, reply, sizeof(reply), 0));

        for (struct nlmsghdr *message = (void *)reply; NLMSG_OK(message, (unsigned)left);
             message = NLMSG_NEXT(message, left)) {
            struct inet_diag_msg *socket = NLMSG_DATA(message);

            if (message->nlmsg_type != SOCK_DIAG_BY_FAMILY) {
                close(fd);
                return found;
            }
            if (socket->idiag_inode == inode && cgroup_of(message) == cgroup) found++;
        }
    }
}

static uint32_t inode_of(int fd) {
    struct stat status;

    need(fstat(fd, &status));
    return status.st_ino;
}

static void body(int family) {
    struct stat pod;
    char path[512];
    union address address;
    int listener, client, accepted;

    hosts_up();
    cgroup_make("pod");
    snprintf(path, sizeof(path), "%s/pod", cgroup_folder());
    need(stat(path, &pod));
    cgroup_enter("pod", getpid());
    listener = listen_on_b(family);
    cgroup_enter(NULL, getpid());
    address = local_of(listener);
    client = need(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    need(connect(client, &address.any, address_size(&address)));
    enter(B);
    expect(count(family, 0, pod.st_ino) == 1, "it is not listed so");
    accepted = need(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    expect(count(family, 0, pod.st_ino) == 0 && count(family, inode_of(accepted), pod.st_ino) == 1,
           "it stays so when accepted");
    holds("inode 0 until it is accepted, and the listener's cgroup");
}

int main(void) { return check_families(body); }
