/* A revived connection has a new one's congestion window and no round trip time; its segments take the fast path again.
 *
 * Source: tcp_disconnect() in net/ipv4/tcp.c and tcp_init_transfer() in net/ipv4/tcp_input.c (snd_cwnd, snd_ssthresh, srtt_us);
 * nothing sets them from outside. tcp_finish_connect() leaves prediction flags that fit no segment, and tcp_data_queue() makes
 * new ones at the first in order (tcp_fast_path_check()).
 * Relied on by: nothing carries them over. On a new path the old one's would be wrong (RFC 9000, 9.4, says so of QUIC). */
#include "harness/bulk.h"
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MUCH = 8 << 20, REQUESTS = 500, SMALL = 64, UNLIMITED = 0x7fffffff };

/* Returns a counter of the host that is entered. The lines of /proc/net/netstat come in pairs, names and values. */
static long counter(const char *name) {
    static char names[8192], values[8192];
    FILE *file = fopen("/proc/thread-self/net/netstat", "r");
    long found = -1;

    need(file ? 0 : -1);
    while (found < 0 && fgets(names, sizeof(names), file) && fgets(values, sizeof(values), file)) {
        char *of_names, *of_values;
        char *one = strtok_r(names, " \n", &of_names), *value = strtok_r(values, " \n", &of_values);

        for (; one && value; one = strtok_r(NULL, " \n", &of_names), value = strtok_r(NULL, " \n", &of_values))
            if (!strcmp(one, name)) found = strtol(value, NULL, 10);
    }
    fclose(file);
    need(found);
    return found;
}

/* How many of the segments of so many requests and responses took the fast path at host B. */
static long fast(struct connection *connection) {
    long before = counter("TCPHPHits");

    for (int i = 0; i < REQUESTS; i++) {
        send_pattern(connection->a, 0, SMALL);
        expect(receive_pattern(connection->b, 0, SMALL) == SMALL, "a request was lost");
        send_pattern(connection->b, 0, SMALL);
        expect(receive_pattern(connection->a, 0, SMALL) == SMALL, "a response was lost");
    }
    return counter("TCPHPHits") - before;
}

static void body(int family) {
    struct connection connection;
    static struct saved saved;
    struct tcp_info grown, revived;
    int first;
    long before, after;

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    first = tcp_info_of(connection.b).tcpi_snd_cwnd;
    stream(connection.b, connection.a, MUCH);
    before = fast(&connection);
    grown = tcp_info_of(connection.b);
    wait_acknowledged(connection.b);
    expect((int)grown.tcpi_snd_cwnd > first && grown.tcpi_rtt > 0, "a stream left a window of %u", grown.tcpi_snd_cwnd);
    lock(connection.b);
    save(connection.b, &saved);
    revive(connection.b, &saved);
    revived = tcp_info_of(connection.b);
    expect((int)revived.tcpi_snd_cwnd == first, "a window of %u segments, not %d", revived.tcpi_snd_cwnd, first);
    expect(revived.tcpi_snd_ssthresh >= UNLIMITED && revived.tcpi_rtt == 0, "threshold %u, round trip %u us",
           revived.tcpi_snd_ssthresh, revived.tcpi_rtt);
    after = fast(&connection);
    expect(before > REQUESTS / 2, "only %ld of %d requests took the fast path before", before, REQUESTS);
    expect(after > before / 2, "%ld of %d requests took the fast path before, %ld after", before, REQUESTS, after);
    stream(connection.b, connection.a, MUCH);
    revived = tcp_info_of(connection.b);
    expect((int)revived.tcpi_snd_cwnd > first && revived.tcpi_rtt > 0, "a window of %u after a stream",
           revived.tcpi_snd_cwnd);
    holds("window %u, then %d, then %u; on the fast path %ld of 500 requests before, %ld after", grown.tcpi_snd_cwnd,
          first, revived.tcpi_snd_cwnd, before, after);
}

int main(void) { return check_families(body); }
