#include "in_band.h"

#include "result.h"
#include "tcp.h"

#include <linux/filter.h>
#include <string.h>
#include <unistd.h>

enum { KIND = 253, EXID = 0x4d47534b }; /* "MGSK" */

struct segment in_band_send(int near, uint32_t below, size_t body) {
    static const uint8_t option[8] = {KIND, 8, 'M', 'G', 'S', 'K', 1, 2};
    union address from = local_of(near), to = remote_of(near);
    struct segment segment = {.flags = ACK, .body = body, .source = port_of(&from), .destination = port_of(&to)};

    repair(near, TCP_REPAIR_ON);
    segment.seq = queue_seq(near, TCP_SEND_QUEUE) - below - body;
    segment.ack = queue_seq(near, TCP_RECV_QUEUE);
    repair(near, TCP_REPAIR_OFF_NO_WP);
    inject(&from, &to, &segment, option, sizeof(option));
    return segment;
}

/* A raw IPv4 socket's filter sees the IP header, an IPv6 one's starts at the TCP header. The data offset is looked at too:
 * the body of a segment without options stands where options would. */
int in_band_open(int family) {
    struct sock_filter v4[] = {
        BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, 12),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 7 << 4, 0, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_IND, 20),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, KIND, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, 22),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EXID, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_filter v6[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 12), BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 7 << 4, 0, 5),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 20), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, KIND, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 22), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, EXID, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0xffffffff),  BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog filter = {
        .len = family == AF_INET ? sizeof(v4) / sizeof(*v4) : sizeof(v6) / sizeof(*v6),
        .filter = family == AF_INET ? v4 : v6,
    };
    int raw = need(socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));

    need(setsockopt(raw, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)));
    return raw;
}

bool in_band_next(int raw, int family, uint16_t source, int milliseconds) {
    uint8_t packet[2048];
    ssize_t got, start;
    uint16_t port;

    if (!readable(raw, milliseconds)) return false;
    got = need(recv(raw, packet, sizeof(packet), 0));
    start = family == AF_INET ? (packet[0] & 15) * 4 : 0;
    expect(got >= start + 28, "the raw socket got %zd bytes", got);
    memcpy(&port, packet + start, sizeof(port));
    expect(packet[start + 20] == KIND && !memcmp(packet + start + 22, "MGSK", 4),
           "the raw socket got a segment without the option");
    return ntohs(port) == source;
}
