/* UDP sockets: their queues, options, groups and ports, given to new sockets. */
#include "cases.h"
#include "pair.h"
#include "socket/socket.h"
#include "udp/udp.h"

#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SENDERS = 3, LARGEST = 65000 };

static struct failure failure;

static int udp_socket(enum kind kind) {
    return (int)need(socket(kind == V4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static void bind_to(int fd, const union socket_address *address) {
    need(bind(fd, &address->any, socket_address_length(address)));
}

static int bound(enum kind kind, int number, uint16_t port) {
    union socket_address address = address_of(kind, number, port);
    int fd = udp_socket(kind);

    bind_to(fd, &address);
    return fd;
}

static void set(int fd, int level, int option, int value) { need(setsockopt(fd, level, option, &value, sizeof value)); }

static union socket_address local_of(int fd) {
    union socket_address address;

    need(socket_local(fd, &address));
    return address;
}

static union socket_address nowhere(enum kind kind) {
    return (union socket_address){.any = {.sa_family = kind == V4 ? AF_INET : AF_INET6}};
}

static union socket_address any_of(enum kind kind, uint16_t port) {
    union socket_address address = nowhere(kind);

    if (kind == V4)
        address.v4.sin_port = htons(port);
    else
        address.v6.sin6_port = htons(port);
    return address;
}

/* Moves the socket: a new one gets its datagrams and all that it is, and takes its descriptor. */
static size_t move(int *fd, enum kind kind, const union socket_address *local, const union socket_address *remote) {
    struct udp_saved saved;
    struct udp_revival revival;

    returns(udp_save(fd, 1, &saved, &failure), 0);
    close(*fd);
    *fd = udp_socket(kind);
    revival = (struct udp_revival){.fd = *fd, .saved = &saved, .local = *local, .remote = *remote};
    need(udp_revive(&revival, 1, &failure));
    udp_saved_clear(&saved);
    return revival.lost;
}

/* The content and the length of the number-th of the datagrams that the cases send. */
static size_t pattern(int number, uint8_t *bytes) {
    size_t size = number % 4 == 1 ? 0 : number == 6 ? LARGEST : (size_t)(number * 100);

    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)((size_t)number * 31 + i * 7);
    return size;
}

static void send_some(const int senders[SENDERS], const union socket_address *to, int first, int count) {
    static uint8_t bytes[LARGEST];

    for (int number = first; number < first + count; number++) {
        size_t size = pattern(number, bytes);

        need(sendto(senders[number % SENDERS], bytes, size, 0, &to->any, socket_address_length(to)));
    }
}

static void expect_some(int fd, const int senders[SENDERS], int first, int count) {
    static uint8_t wanted[LARGEST], got[LARGEST + 1];

    for (int number = first; number < first + count; number++) {
        union socket_address source, sender = local_of(senders[number % SENDERS]);
        socklen_t length = sizeof source;
        size_t size = pattern(number, wanted);
        ssize_t received = recvfrom(fd, got, sizeof got, MSG_DONTWAIT, &source.any, &length);

        expect(received == (ssize_t)size, "datagram %d: %zd bytes, not %zu (errno %d)", number, received, size, errno);
        expect(memcmp(got, wanted, size) == 0, "datagram %d has other bytes", number);
        expect(socket_address_equal(&source, &sender), "datagram %d is from elsewhere", number);
    }
}

static void expect_empty(int fd) {
    uint8_t byte;

    expect(recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN, "there is one more");
}

static void open_senders(enum kind kind, int senders[SENDERS]) {
    for (int i = 0; i < SENDERS; i++) senders[i] = bound(kind, 1, (uint16_t)(4000 + i));
}

static void queue_moves(void) {
    for (enum kind kind = V4; kind < KINDS; kind++) {
        union socket_address old = address_of(kind, 2, 5000), new = address_of(kind, 3, 5000), none = nowhere(kind);
        int fd = bound(kind, 2, 5000), senders[SENDERS];

        set(fd, SOL_SOCKET, SO_RCVBUFFORCE, 1 << 20);
        open_senders(kind, senders);
        send_some(senders, &old, 0, 12);
        expect(move(&fd, kind, &new, &none) == 0, "kind %d: lost", kind);
        send_some(senders, &new, 12, 1);
        expect_some(fd, senders, 0, 13);
        expect_empty(fd);
        for (int i = 0; i < SENDERS; i++) close(senders[i]);
        close(fd);
    }
}

static void saved_socket_stays(void) {
    union socket_address local = address_of(V4, 2, 5000);
    int fd = bound(V4, 2, 5000), senders[SENDERS], value;
    struct udp_saved saved;

    open_senders(V4, senders);
    send_some(senders, &local, 0, 4);
    set(fd, SOL_SOCKET, SO_PEEK_OFF, 7);
    set(fd, IPPROTO_IP, IP_RECVTTL, 1);
    returns(udp_save(&fd, 1, &saved, &failure), 0);
    expect(saved.datagram_count == 4, "%zu datagrams", saved.datagram_count);
    send_some(senders, &local, 4, 2);
    need(socket_get(fd, SOL_SOCKET, SO_PEEK_OFF, &value));
    expect(value == 7, "SO_PEEK_OFF %d", value);
    need(socket_get(fd, IPPROTO_IP, IP_RECVTTL, &value));
    expect(value == 1, "IP_RECVTTL %d", value);
    need(socket_get(fd, IPPROTO_IP, IP_PKTINFO, &value));
    expect(value == 0, "IP_PKTINFO %d", value);
    expect_some(fd, senders, 0, 6);
    udp_saved_clear(&saved);
}

/* The error is lost, as an ICMP message may be; the queue is not. */
static void pending_error(void) {
    union socket_address local = address_of(V4, 2, 5000), closed = address_of(V4, 1, 4000);
    int fd = bound(V4, 2, 5000), senders[SENDERS];
    struct udp_saved saved;

    open_senders(V4, senders);
    need(connect(fd, &closed.any, socket_address_length(&closed)));
    send_some(senders, &local, 0, 1);
    close(senders[0]);
    need(send(fd, "nobody", 6, 0));
    returns(udp_save(&fd, 1, &saved, &failure), 0);
    expect(saved.datagram_count == 1, "%zu datagrams", saved.datagram_count);
    udp_saved_clear(&saved);
}

static void connected_moves(void) {
    for (enum kind kind = V4; kind < KINDS; kind++) {
        union socket_address any = any_of(kind, 5000), remote, new;
        int fd = bound(kind, 2, 5000), senders[SENDERS];
        char bytes[8];

        open_senders(kind, senders);
        remote = local_of(senders[0]);
        need(connect(fd, &remote.any, socket_address_length(&remote)));
        new = local_of(fd);
        need(sendto(senders[0], "first", 5, 0, &new.any, socket_address_length(&new)));
        expect(move(&fd, kind, &any, &remote) == 0, "kind %d: lost", kind);
        new = local_of(fd);
        need(sendto(senders[1], "other", 5, 0, &new.any, socket_address_length(&new)));
        need(sendto(senders[0], "second", 6, 0, &new.any, socket_address_length(&new)));
        expect(recv(fd, bytes, sizeof bytes, 0) == 5 && memcmp(bytes, "first", 5) == 0, "kind %d: not the first", kind);
        expect(recv(fd, bytes, sizeof bytes, 0) == 6 && memcmp(bytes, "second", 6) == 0, "kind %d: not the second",
               kind);
        expect_empty(fd);
        need(send(fd, "answer", 6, 0));
        expect(recv(senders[0], bytes, sizeof bytes, 0) == 6, "kind %d: no answer", kind);
        for (int i = 0; i < SENDERS; i++) close(senders[i]);
        close(fd);
    }
}

/* Each socket of a group has its own queue, though the port is one. */
static void group_moves(void) {
    enum { MEMBERS = 4 };
    union socket_address any = any_of(V4, 5000), none = nowhere(V4), local = address_of(V4, 2, 5000);
    struct udp_saved saved[MEMBERS];
    struct udp_revival revivals[MEMBERS];
    int fds[MEMBERS], senders[SENDERS];

    open_senders(V4, senders);
    for (int i = 0; i < MEMBERS; i++) {
        fds[i] = udp_socket(V4);
        set(fds[i], SOL_SOCKET, SO_REUSEPORT, 1);
        bind_to(fds[i], &any);
        need(connect(fds[i], &(struct sockaddr){.sa_family = AF_UNSPEC}, sizeof(struct sockaddr)));
    }
    for (int i = 0; i < 40; i++) send_some(senders, &local, i % 4, 1);
    returns(udp_save(fds, MEMBERS, saved, &failure), 0);
    for (int i = 0; i < MEMBERS; i++) close(fds[i]);
    for (int i = 0; i < MEMBERS; i++) {
        fds[i] = udp_socket(V4);
        set(fds[i], SOL_SOCKET, SO_REUSEPORT, 1);
        revivals[i] = (struct udp_revival){.fd = fds[i], .saved = &saved[i], .local = any, .remote = none};
    }
    returns(udp_revive(revivals, MEMBERS, &failure), 0);
    for (int i = 0; i < MEMBERS; i++) {
        struct udp_saved again;

        returns(udp_save(&fds[i], 1, &again, &failure), 0);
        expect(again.datagram_count == saved[i].datagram_count, "member %d: %zu datagrams, not %zu", i,
               again.datagram_count, saved[i].datagram_count);
        for (size_t j = 0; j < again.datagram_count; j++)
            expect(again.datagrams[j].length == saved[i].datagrams[j].length &&
                       socket_address_equal(&again.datagrams[j].source, &saved[i].datagrams[j].source),
                   "member %d, datagram %zu", i, j);
        udp_saved_clear(&again);
        udp_saved_clear(&saved[i]);
    }
}

/* Both had SO_REUSEADDR when they were bound, and one took it back. */
static void shared_port_moves(void) {
    union socket_address any = any_of(V4, 5000), none = nowhere(V4);
    struct udp_saved saved[2];
    struct udp_revival revivals[2];
    int fds[2] = {udp_socket(V4), udp_socket(V4)}, value;

    for (int i = 0; i < 2; i++) {
        set(fds[i], SOL_SOCKET, SO_REUSEADDR, 1);
        bind_to(fds[i], &any);
    }
    returns(udp_save(fds, 2, saved, &failure), 0);
    for (int i = 0; i < 2; i++) {
        close(fds[i]);
        fds[i] = udp_socket(V4);
        set(fds[i], SOL_SOCKET, SO_REUSEADDR, i);
        revivals[i] = (struct udp_revival){.fd = fds[i], .saved = &saved[i], .local = any, .remote = none};
    }
    returns(udp_revive(revivals, 2, &failure), 0);
    for (int i = 0; i < 2; i++) {
        need(socket_get(fds[i], SOL_SOCKET, SO_REUSEADDR, &value));
        expect(value == i, "SO_REUSEADDR %d", value);
        udp_saved_clear(&saved[i]);
    }
}

static void interfaces_move(void) {
    const struct udp_interface no_option = {SOL_SOCKET, SO_MARK, "lo"};
    const struct udp_interface no_interface = {IPPROTO_IPV6, IPV6_MULTICAST_IF, "none"};
    union socket_address any = any_of(V6, 5000), none = nowhere(V6);
    int fd = udp_socket(V6), value;

    bind_to(fd, &any);
    set(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, 1);
    set(fd, IPPROTO_IP, IP_UNICAST_IF, (int)htonl(1));
    move(&fd, V6, &any, &none);
    need(socket_get(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &value));
    expect(value == 1, "IPV6_MULTICAST_IF %d", value);
    need(socket_get(fd, IPPROTO_IP, IP_UNICAST_IF, &value));
    expect((int)ntohl((uint32_t)value) == 1, "IP_UNICAST_IF %d", value);
    returns(udp_interfaces_set(fd, &no_option, 1), -EINVAL);
    returns(udp_interfaces_set(fd, &no_interface, 1), -ENODEV);
}

static union socket_address group_of(enum kind kind) {
    union socket_address group;

    need(socket_address_parse(&group, kind == V4 ? AF_INET : AF_INET6, kind == V4 ? "239.1.2.3" : "ff15::77", 5000));
    return group;
}

static void join(int fd, const union socket_address *group) {
    struct group_req request = {.gr_interface = 1};

    memcpy(&request.gr_group, group, socket_address_length(group));
    need(setsockopt(fd, group->any.sa_family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6, MCAST_JOIN_GROUP, &request,
                    sizeof request));
}

static void memberships_move(void) {
    union socket_address any = any_of(V6, 5000), none = nowhere(V6), v4 = group_of(V4), v6 = group_of(V6);
    union socket_address source = address_of(V4, 3, 0);
    struct group_source_req block = {.gsr_interface = 1};
    struct udp_membership *memberships;
    int fd = udp_socket(V6);
    size_t count;

    bind_to(fd, &any);
    join(fd, &v4);
    join(fd, &v6);
    memcpy(&block.gsr_group, &v4, sizeof v4);
    memcpy(&block.gsr_source, &source, sizeof source);
    need(setsockopt(fd, IPPROTO_IP, MCAST_BLOCK_SOURCE, &block, sizeof block));
    move(&fd, V6, &any, &none);
    returns(udp_memberships_read(fd, AF_INET6, &memberships, &count), 0);
    expect(count == 2, "%zu groups", count);
    expect(memberships[0].group.v4.sin_addr.s_addr == v4.v4.sin_addr.s_addr, "another group");
    expect(memberships[0].mode == MCAST_EXCLUDE && memberships[0].source_count == 1 &&
               memberships[0].sources[0].v4.sin_addr.s_addr == source.v4.sin_addr.s_addr,
           "another filter");
    expect(memcmp(&memberships[1].group.v6.sin6_addr, &v6.v6.sin6_addr, 16) == 0, "another group of IPv6");
    expect(strcmp(memberships[1].interface, "lo") == 0, "another interface");
    free(memberships);
}

/* A socket that is bound to a group gets its queue before that. Another member on the host gets nothing twice. */
static void group_bound_moves(void) {
    union socket_address group = group_of(V4), none = nowhere(V4);
    int members[2], senders[SENDERS];

    open_senders(V4, senders);
    for (int i = 0; i < 2; i++) {
        members[i] = udp_socket(V4);
        set(members[i], SOL_SOCKET, SO_REUSEADDR, 1);
        bind_to(members[i], &group);
        join(members[i], &group);
    }
    for (int i = 0; i < SENDERS; i++) set(senders[i], IPPROTO_IP, IP_MULTICAST_IF, (int)htonl(INADDR_LOOPBACK));
    send_some(senders, &group, 0, 5);
    expect_some(members[1], senders, 0, 5);
    expect(move(&members[0], V4, &group, &none) == 0, "lost");
    send_some(senders, &group, 5, 1);
    expect_some(members[0], senders, 0, 6);
    expect_some(members[1], senders, 5, 1);
    expect_empty(members[1]);
}

/* A datagram that was sent to a group is not put back where the program would be shown that it was sent to us. */
static void destination_that_shows(void) {
    union socket_address group = group_of(V4), any = any_of(V4, 5000), none = nowhere(V4),
                         local = address_of(V4, 2, 5000);
    int fd = udp_socket(V4), senders[SENDERS];
    struct udp_saved saved;
    struct udp_revival revival;

    open_senders(V4, senders);
    bind_to(fd, &any);
    join(fd, &group);
    set(fd, IPPROTO_IP, IP_PKTINFO, 1);
    for (int i = 0; i < SENDERS; i++) set(senders[i], IPPROTO_IP, IP_MULTICAST_IF, (int)htonl(INADDR_LOOPBACK));
    send_some(senders, &group, 0, 2);
    send_some(senders, &local, 2, 3);
    returns(udp_save(&fd, 1, &saved, &failure), 0);
    close(fd);
    fd = udp_socket(V4);
    set(fd, IPPROTO_IP, IP_PKTINFO, 1);
    revival = (struct udp_revival){.fd = fd, .saved = &saved, .local = any, .remote = none};
    returns(udp_revive(&revival, 1, &failure), 0);
    expect(revival.lost == 2, "%zu lost, not the two that were sent to the group", revival.lost);
    expect_some(fd, senders, 2, 3);
    udp_saved_clear(&saved);
}

/* The program's own filter has seen the datagrams already, and is there again afterwards. */
static void own_filter_moves(void) {
    struct sock_filter none_shall_pass = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog filter = {1, &none_shall_pass};
    union socket_address local = address_of(V4, 2, 5000), none = nowhere(V4);
    int senders[SENDERS], fd = bound(V4, 2, 5000);
    struct udp_saved saved;
    struct udp_revival revival;

    open_senders(V4, senders);
    send_some(senders, &local, 0, 3);
    returns(udp_save(&fd, 1, &saved, &failure), 0);
    close(fd);
    fd = udp_socket(V4);
    need(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter)); /* as CRIU would have */
    revival = (struct udp_revival){.fd = fd, .saved = &saved, .local = local, .remote = none};
    returns(udp_revive(&revival, 1, &failure), 0);
    send_some(senders, &local, 3, 2);
    expect_some(fd, senders, 0, 3);
    expect_empty(fd);
    udp_saved_clear(&saved);
}

static void taken_port(void) {
    union socket_address local = address_of(V4, 2, 5000), none = nowhere(V4);
    int fd = bound(V4, 2, 5000), fresh = udp_socket(V4);
    struct udp_saved saved;
    struct udp_revival revival = {.fd = fresh, .saved = &saved, .local = local, .remote = none};

    returns(udp_save(&fd, 1, &saved, &failure), 0);
    returns(udp_revive(&revival, 1, &failure), -EADDRINUSE);
    expect(strcmp(failure.step, "bind") == 0, "step %s", failure.step);
    udp_saved_clear(&saved);
}

const struct test_case udp_cases[] = {
    {"a UDP socket's queue moves: sources, bounds, empty and large ones", queue_moves},
    {"saving a UDP socket leaves it as it was", saved_socket_stays},
    {"an ICMP error that waits is lost, and nothing else", pending_error},
    {"a connected UDP socket moves, and hears nobody else", connected_moves},
    {"each member of a SO_REUSEPORT group keeps its queue", group_moves},
    {"a UDP port that is shared no more is still shared", shared_port_moves},
    {"interfaces that a UDP socket names move by name", interfaces_move},
    {"multicast groups move, with their filters", memberships_move},
    {"a socket that is bound to a group moves", group_bound_moves},
    {"what was sent to a group is not said to have been sent elsewhere", destination_that_shows},
    {"a UDP socket's own filter is there again", own_filter_moves},
    {"a UDP port that is taken is told", taken_port},
    {NULL, NULL},
};
