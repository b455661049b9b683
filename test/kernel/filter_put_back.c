/* A classic filter of the program's own can be read, replaced by the lock and put back; an eBPF one cannot be read.
 *
 * Source: sk_get_filter() in net/core/filter.c gives back the classic program that was attached
 * (prog->orig_prog), EACCES for eBPF, ENOENT (0 bytes) for none; SOCK_FILTER_LOCKED makes attaching EPERM.
 * Relied on by: lock and unlock. A socket with an eBPF filter or SO_LOCK_FILTER is one for preflight to name. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int accept_all_ebpf(void) {
    struct bpf_insn accept[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = -1},
        {.code = BPF_JMP | BPF_EXIT},
    };
    union bpf_attr attributes = {
        .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
        .insns = (uintptr_t)accept,
        .insn_cnt = 2,
        .license = (uintptr_t) "GPL",
    };

    return need(syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes)));
}

static void body(void) {
    struct sock_filter own[] =
        {
            BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
            BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 60000, 1, 0),
            BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
            BPF_STMT(BPF_RET | BPF_K, 0),
        },
                       read_back[16] = {0};
    struct sock_fprog program = {.len = 4, .filter = own};
    struct connection connection;
    socklen_t length = 16; /* in instructions, not in bytes */

    hosts_up();
    connection = connect_hosts(AF_INET);
    need(setsockopt(connection.b, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
    need(getsockopt(connection.b, SOL_SOCKET, SO_GET_FILTER, read_back, &length));
    expect(length == 4 && !memcmp(read_back, own, sizeof(own)), "%u instructions read back, not the 4 attached",
           length);

    lock(connection.b);
    program.filter = read_back;
    need(setsockopt(connection.b, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
    memset(read_back + 8, 0, sizeof(*read_back));
    length = 16;
    need(getsockopt(connection.b, SOL_SOCKET, SO_GET_FILTER, read_back, &length));
    expect(length == 4 && !memcmp(read_back, own, sizeof(own)), "the filter put back is not the one read");
    send_pattern(connection.a, 0, 1000);
    expect(receive_pattern(connection.b, 0, 1000) == 1000, "the connection did not go on under its own filter");

    set_option(connection.b, SOL_SOCKET, SO_ATTACH_BPF, accept_all_ebpf());
    length = 16;
    expect(getsockopt(connection.b, SOL_SOCKET, SO_GET_FILTER, read_back, &length) < 0 && errno == EACCES,
           "SO_GET_FILTER of an eBPF filter: %s, not EACCES", strerror(errno));
    set_option(connection.b, SOL_SOCKET, SO_LOCK_FILTER, 1);
    expect(setsockopt(connection.b, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 && errno == EPERM,
           "a filter was attached over a locked one");
    holds("a classic filter came back whole; eBPF: EACCES; under SO_LOCK_FILTER: EPERM");
}

int main(void) { return check(body); }
