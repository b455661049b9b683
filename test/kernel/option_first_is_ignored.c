/* A segment below rcv_nxt with an unknown option first is dropped as old: answered with an ACK, its bytes and option unseen.
 *
 * Source: tcp_parse_options() in net/ipv4/tcp_input.c skips unknown kinds (RFC 9293, 3.1); tcp_sequence() drops what ends
 * before rcv_wup, tcp_send_dupack() answers it, at most once in tcp_invalid_ratelimit (0.5 s) where it has no body; what ends
 * at rcv_nxt goes through tcp_ack() first and is dropped in tcp_data_queue(). Timestamps are not asked for (RFC 7323 would).
 * Relied on by: in-band messages. The other end's kernel needs no migrun to stay undisturbed. */
#include "harness/hosts.h"
#include "harness/in_band.h"
#include "harness/result.h"
#include "harness/tcp.h"

static void body(int family) {
    struct connection connection;
    struct tcp_info before, after, sender_before, sender_after;
    struct segment answer;
    int tap, answers = 0, raw_sent = 0;

    hosts_up();
    connection = connect_hosts(family);
    send_pattern(connection.b, 0, 3000);
    expect(receive_pattern(connection.a, 0, 3000) == 3000, "no plain data");
    wait_acknowledged(connection.b);
    tap = tap_open();
    enter(B);
    before = tcp_info_of(connection.a);
    sender_before = tcp_info_of(connection.b);
    expect(before.tcpi_options & TCPI_OPT_TIMESTAMPS, "no timestamps to be left out");
    in_band_send(connection.b, 1, 0);       /* one below the end */
    in_band_send(connection.b, 0, 1200);    /* a body that ends at the end */
    in_band_send(connection.b, 1, 1200);    /* a body that ends one below */
    in_band_send(connection.b, 3000, 1200); /* before the first byte of the stream */
    raw_sent = 4;
    while (tap_next(tap, true, 100, &answer)) {
        expect(answer.flags == ACK && !answer.body, "answered with flags 0x%x", answer.flags);
        answers++;
    }
    after = tcp_info_of(connection.a);
    sender_after = tcp_info_of(connection.b);
    expect(unread(connection.a) == 0 && after.tcpi_bytes_received == before.tcpi_bytes_received,
           "the stream got their bytes");
    expect(after.tcpi_state == 1 && sender_after.tcpi_state == 1, "the connection did not survive them");
    expect(sender_after.tcpi_ca_state == 0 && sender_after.tcpi_total_retrans == 0 &&
               sender_after.tcpi_snd_cwnd == sender_before.tcpi_snd_cwnd,
           "the answers changed the sender's congestion control");
    expect(answers >= 1 && answers <= raw_sent, "%d answers to %d segments", answers, raw_sent);
    send_pattern(connection.b, 3000, 100000);
    expect(receive_pattern(connection.a, 3000, 100000) == 100000, "the stream did not go on");
    holds("%d segments, %d pure ACKs in answer, nothing in the stream, which went on", raw_sent, answers);
}

int main(void) { return check_families(body); }
