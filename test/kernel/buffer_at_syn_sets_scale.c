/* A listener's SO_RCVBUF at the SYN decides the window scale, at the ACK the new socket's buffer; a program the first window.
 *
 * Source: tcp_openreq_init_rwin() in net/ipv4/tcp_minisocks.c and tcp_select_initial_window() in net/ipv4/tcp_output.c: under
 * SOCK_RCVBUF_LOCK the scale fits the listener's buffer, and BPF_SOCK_OPS_RWND_INIT names the window in segments; then
 * sk_clone_lock() in net/core/sock.c copies sk_rcvbuf at the end of the handshake.
 * Relied on by: filling an accept queue: scale, window and buffer of a connection are those that it had, whatever this
 * host would choose now. */
#include "harness/bpf.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tap.h"
#include "harness/task.h"
#include "harness/tcp.h"

#include <stddef.h>
#include <unistd.h>

enum { SEGMENTS = 20, BUFFER = 200000 };

static int attach_window(void) {
    const struct bpf_insn window[] = {
        LOAD(R2, R1, offsetof(struct bpf_sock_ops, op)),
        IF_EQUAL(R2, BPF_SOCK_OPS_RWND_INIT, 2),
        SET(R0, 1),
        EXIT,
        SET(R3, SEGMENTS),
        STORE_TO(R1, offsetof(struct bpf_sock_ops, reply), R3),
        SET(R0, 1),
        EXIT,
    };

    return bpf_attach(bpf_load(BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS, window, sizeof(window) / sizeof(*window)),
                      "pod", BPF_CGROUP_SOCK_OPS);
}

/* The scale that a SYN gets with this buffer of the listener. */
static void try(int family, int listener, int scale) {
    union address near = local_of(listener), far;
    struct segment answer = {0}, ack = {.flags = ACK};
    struct tcp_repair_window window;
    socklen_t size = sizeof(window);
    int client, accepted, tap;

    enter(B);
    tap = tap_open();
    set_option(listener, SOL_SOCKET, SO_RCVBUFFORCE, 65535 << scale);
    enter(A);
    client = need(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    lock(client); /* it does not answer the SYN-ACK */
    connect(client, &near.any, address_size(&near));
    far = local_of(client);
    enter(B);
    expect(tap_next(tap, true, 1000, &answer) && answer.flags == (SYN | ACK), "no SYN-ACK");
    set_option(listener, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER);
    ack.seq = answer.ack;
    ack.ack = answer.seq + 1;
    inject(&far, &near, &ack, NULL, 0);
    expect(readable(listener, 30000), "no connection");
    accepted = need(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    expect(tcp_info_of(accepted).tcpi_rcv_wscale == scale, "scale %d, not %d", tcp_info_of(accepted).tcpi_rcv_wscale,
           scale);
    expect(get_option(accepted, SOL_SOCKET, SO_RCVBUF) == 2 * BUFFER, "another buffer");
    repair(accepted, TCP_REPAIR_ON);
    need(getsockopt(accepted, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window, &size));
    expect(window.rcv_wnd / SEGMENTS * SEGMENTS == window.rcv_wnd && window.rcv_wnd < SEGMENTS * 1500, "a window of %u",
           window.rcv_wnd);
    close(accepted);
    close(client);
    close(tap);
}

static void body(int family) {
    int listener;

    hosts_up();
    cgroup_make("pod");
    cgroup_enter("pod", getpid());
    listener = listen_on_b(family);
    cgroup_enter(NULL, getpid());
    attach_window();
    for (int scale = 0; scale <= 14; scale++) try(family, listener, scale);
    holds("every scale from 0 to 14, the buffer as it was set last, and the program's window");
}

int main(void) { return check_families(body); }
