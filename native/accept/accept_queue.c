#include "accept/accept_queue.h"

#include "accept/gate.h"
#include "accept/peer.h"
#include "kernel/array.h"
#include "kernel/files.h"
#include "lookup/diag.h"
#include "socket/headers.h"
#include "socket/lock.h"
#include "tcp/repair.h"
#include "tcp/sequences.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* What stands for the numbers of a connection that was reset, which have no meaning. */
#define RESET_SCALE 14 /* the greatest: room for any queue in the first window */
#define RESET_FIRST 1000u
#define RESET_MSS 536

/* accept4() alone would wait, and O_NONBLOCK, which is the program's, must stay as it is. */
static bool is_waiting(int listener) {
    short events;

    return poll_events(listener, &events) == 0 && events & POLLIN;
}

static int take_one(int listener, struct queued_socket *taken) {
    union socket_address remote;
    socklen_t length = sizeof remote;
    int fd = accept4(listener, &remote.any, &length, SOCK_CLOEXEC), result;

    if (fd < 0) return -errno;
    result = socket_describe(fd, &taken->socket);
    taken->socket.remote = remote; /* getpeername(2) does not say it of one that was reset */
    if (result == 0) result = socket_get(fd, SOL_SOCKET, SO_RCVBUF, &taken->receive_buffer);
    if (result < 0) close(fd);
    return result;
}

int accept_queue_take(int listener, struct queued_socket **taken, size_t *count) {
    int result = 0;

    *taken = NULL;
    *count = 0;
    while (is_waiting(listener)) {
        struct queued_socket *larger = array_grow(*taken, *count, sizeof *larger);

        if (!larger) break;
        *taken = larger;
        result = take_one(listener, &(*taken)[*count]);
        if (result < 0) break;
        ++*count;
    }
    if (*count || result == 0 || result == -EMFILE || result == -ENFILE || result == -EAGAIN) return 0;
    return result;
}

/* TCP gives what came before a reset before it tells of the reset (tcp_recvmsg_locked). */
static int read_all(int fd, uint8_t **bytes, uint32_t *length) {
    int unread;

    if (ioctl(fd, SIOCINQ, &unread)) return -errno;
    return unread == 0 ? 0 : tcp_peek(fd, bytes, (uint32_t)unread, length);
}

int accept_queue_save_reset(int fd, const union socket_address *remote, struct tcp_saved *saved) {
    int result;

    memset(saved, 0, sizeof *saved);
    saved->state = TCP_CLOSE;
    saved->family = remote->any.sa_family;
    saved->remote = *remote;
    result = socket_local(fd, &saved->local);
    if (result == 0) result = read_all(fd, &saved->receive_queue, &saved->receive_length);
    if (result < 0) {
        tcp_saved_clear(saved);
        return result;
    }
    saved->snd_una = RESET_FIRST;
    saved->rcv_nxt = RESET_FIRST + saved->receive_length;
    saved->options = TCPI_OPT_WSCALE;
    saved->rcv_wscale = RESET_SCALE;
    saved->mss_clamp = RESET_MSS;
    saved->window = (struct tcp_repair_window){
        .snd_wl1 = RESET_FIRST, .rcv_wup = RESET_FIRST, .rcv_wnd = saved->receive_length + 1};
    return 0;
}

/* Filling: a handshake for each connection. */

/* The C library's header has not got these. */
#ifndef TH_ECE
#define TH_ECE 0x40
#define TH_CWR 0x80
#endif

#define NEGOTIATED (TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE)
#define MSS_DEFAULT 536       /* TCP_MAXSEG of a listening socket whose program did not set it */
#define TIMESTAMP_OPTION 12   /* the room that it takes in each segment (TCPOLEN_TSTAMP_ALIGNED) */
#define WINDOW_MAX (1u << 30) /* RFC 7323, 2.3 */
#define UNSCALED_WINDOW 65535u

/* One connection on its way into the queue. */
struct entry {
    const struct waiting_connection *waiting;
    const struct tcp_saved *saved;
    struct gate *gate;
    struct peer peer;
    uint32_t isn, peer_isn, received; /* `received`: rcv_nxt when all is said */
    uint32_t segment_size;
};

/* Settings of a listening socket that are others during a handshake. */
struct settings {
    int receive_buffer, buffer_locks, defer_accept;
};

static bool has_agreed(const struct entry *entry, uint8_t option) { return (entry->saved->options & option) != 0; }

static bool ends_here(const struct entry *entry) { return entry->saved->fin_received && entry->waiting->peer_stays; }

/*
 * TCP takes segments to oneself before send(2) returns, unless the kernel leaves them to ksoftirqd; and nobody is told
 * when it has. So this looks until it is so.
 */
static int await(int (*is_so)(const struct entry *entry), const struct entry *entry) {
    const struct timespec pause = {.tv_nsec = 100000};

    for (int looks = 0; looks < 10000; looks++) {
        int result = is_so(entry);

        if (result) return result < 0 ? result : 0;
        nanosleep(&pause, NULL);
    }
    return -ETIMEDOUT;
}

static int read_facts(const struct entry *entry, struct diag_facts *facts) {
    const struct diag_ends ends = {entry->waiting->local, entry->waiting->remote};

    return diag_connection_facts(&ends, facts);
}

/* Returns 1 when it is so, 0 when it is not so yet; and so does is_received. */
static int is_requested(const struct entry *entry) {
    struct diag_facts facts;
    int result = read_facts(entry, &facts);

    return result < 0 ? result : facts.state == TCP_SYN_RECV;
}

static int is_received(const struct entry *entry) {
    struct tcp_sequences sequences;
    int result = tcp_sequences(&entry->waiting->local, &entry->waiting->remote, &sequences);

    if (result < 0) return result == -ENOENT ? 0 : result;
    return sequences.rcv_nxt == entry->received && sequences.snd_nxt == entry->saved->snd_una;
}

/* Writes the other end's options as a SYN carries them: what was agreed on, and no more. */
static size_t syn_options(const struct entry *entry, uint8_t options[TCP_OPTIONS_MAX]) {
    const uint8_t pad = TCPOPT_NOP;
    size_t length = 0;

    options[length++] = TCPOPT_MAXSEG;
    options[length++] = TCPOLEN_MAXSEG;
    put16(options + length, (uint16_t)entry->saved->mss_clamp);
    length += 2;
    if (has_agreed(entry, TCPI_OPT_SACK)) {
        options[length++] = TCPOPT_SACK_PERMITTED;
        options[length++] = TCPOLEN_SACK_PERMITTED;
    }
    if (has_agreed(entry, TCPI_OPT_TIMESTAMPS)) {
        options[length++] = TCPOPT_TIMESTAMP;
        options[length++] = TCPOLEN_TIMESTAMP;
        memset(options + length, 0, 8);
        length += 8;
    }
    if (has_agreed(entry, TCPI_OPT_WSCALE)) {
        options[length++] = TCPOPT_WINDOW;
        options[length++] = TCPOLEN_WINDOW;
        options[length++] = entry->saved->snd_wscale;
    }
    while (length % 4) options[length++] = pad;
    return length;
}

/* Offers, in segments, not less than what the other end was promised (RFC 9293, 3.8.6: a window must not shrink). */
static int offer_window(const struct entry *entry) {
    const struct tcp_saved *saved = entry->saved;
    uint32_t window = saved->window.rcv_wup + saved->window.rcv_wnd - (entry->peer_isn + 1);
    int limit, result = socket_get(entry->waiting->listener, IPPROTO_TCP, TCP_MAXSEG, &limit);
    uint32_t segment = entry->segment_size;

    if (result < 0) return result;
    if (limit != MSS_DEFAULT && (uint32_t)limit < segment) segment = (uint32_t)limit;
    if (has_agreed(entry, TCPI_OPT_TIMESTAMPS)) segment -= TIMESTAMP_OPTION;
    if (window > WINDOW_MAX || segment == 0 || segment > UINT16_MAX) return -EINVAL;
    return gate_offer(entry->gate, (window + segment - 1) / segment);
}

/* tcp_select_initial_window() makes the scale fit the listening socket's buffer, if its program has set one. */
static int request(const struct entry *entry, const struct settings *settings) {
    uint8_t options[TCP_OPTIONS_MAX];
    struct peer_segment syn = {.seq = entry->peer_isn,
                               .flags = TH_SYN,
                               .window = UINT16_MAX,
                               .options = options,
                               .options_length = syn_options(entry, options)};
    int listener = entry->waiting->listener, result = offer_window(entry), put_back;

    if (entry->waiting->peer_stays && has_agreed(entry, TCPI_OPT_ECN)) syn.flags |= TH_ECE | TH_CWR;
    if (result == 0 && has_agreed(entry, TCPI_OPT_WSCALE))
        result = socket_set(listener, SOL_SOCKET, SO_RCVBUFFORCE, (int)(UNSCALED_WINDOW << entry->saved->rcv_wscale));
    if (result == 0) result = peer_send(&entry->peer, &syn);
    if (result == 0) result = await(is_requested, entry);
    put_back = socket_set_buffer(listener, SO_RCVBUFFORCE, settings->receive_buffer, settings->buffer_locks);
    return result < 0 ? result : put_back;
}

static int send_as_peer(const struct entry *entry, uint8_t flags, uint32_t seq, const uint8_t *body, size_t length) {
    static const uint8_t timestamps[TIMESTAMP_OPTION] = {TCPOPT_NOP, TCPOPT_NOP, TCPOPT_TIMESTAMP, TCPOLEN_TIMESTAMP};
    uint32_t window = entry->saved->window.snd_wnd >> entry->saved->snd_wscale;
    const struct peer_segment segment = {
        .seq = seq,
        .ack = entry->isn + 1,
        .flags = flags | TH_ACK,
        .window = (uint16_t)(window < UNSCALED_WINDOW ? window : UNSCALED_WINDOW),
        .options = timestamps,
        .options_length = has_agreed(entry, TCPI_OPT_TIMESTAMPS) ? sizeof timestamps : 0,
        .body = body,
        .body_length = length,
    };

    return peer_send(&entry->peer, &segment);
}

/*
 * Ends the handshake, at which the new socket takes the listening one's buffer over, and sends all that was received.
 */
static int establish(const struct entry *entry, const struct settings *settings) {
    const struct tcp_saved *saved = entry->saved;
    uint32_t first = entry->peer_isn + 1, done = 0;
    int listener = entry->waiting->listener, put_back;
    int result = socket_set_buffer(listener, SO_RCVBUFFORCE, entry->waiting->receive_buffer, settings->buffer_locks);

    if (result == 0) result = send_as_peer(entry, 0, first, NULL, 0);
    while (result == 0 && done < saved->receive_length) {
        uint32_t left = saved->receive_length - done, piece = left < PEER_BODY_MAX ? left : PEER_BODY_MAX;

        result = send_as_peer(entry, TH_PUSH, first + done, saved->receive_queue + done, piece);
        done += piece;
    }
    if (result == 0 && ends_here(entry)) result = send_as_peer(entry, TH_FIN, first + done, NULL, 0);
    if (result == 0) result = await(is_received, entry);
    put_back = socket_set_buffer(listener, SO_RCVBUFFORCE, settings->receive_buffer, settings->buffer_locks);
    return result < 0 ? result : put_back;
}

/*
 * A segment that was received long ago is acknowledged at once, and all that came after it with it (tcp_send_dupack):
 * no delayed acknowledgement is left that would go out when the gate is open.
 */
static int acknowledge(const struct entry *entry) {
    static const uint8_t anything = 0;

    return send_as_peer(entry, 0, entry->peer_isn - 1, &anything, 1);
}

static int check_agreement(const struct entry *entry) {
    const struct tcp_saved *saved = entry->saved;
    struct diag_facts facts;
    int result = read_facts(entry, &facts);

    if (result < 0) return result;
    if ((facts.options ^ saved->options) & NEGOTIATED) return -EPROTO;
    if (!has_agreed(entry, TCPI_OPT_WSCALE)) return 0;
    return facts.snd_wscale == saved->snd_wscale && facts.rcv_wscale == saved->rcv_wscale ? 0 : -EPROTO;
}

/* Returns 1 when a look-up does not find it any more. A connection that was reset stays in the queue. */
static int is_closed(const struct entry *entry) {
    struct diag_facts facts;
    int result = read_facts(entry, &facts);

    return result < 0 ? result : facts.state == 0;
}

static int reset(const struct entry *entry) {
    int result = send_as_peer(entry, TH_RST, entry->received, NULL, 0);

    return result < 0 ? result : await(is_closed, entry);
}

static int check_room(int listener) {
    struct tcp_info info;
    int result = socket_tcp_info(listener, &info);

    if (result < 0) return result;
    /* Of a listening socket these are its queue and its backlog (tcp_get_info() in net/ipv4/tcp.c). */
    if (info.tcpi_state != TCP_LISTEN) return -EINVAL;
    return info.tcpi_unacked > info.tcpi_sacked ? -ENOSPC : 0;
}

/* Without this the kernel chooses, by a hash, which socket of a group gets a connection. */
static int choose_listener(const struct entry *entry) {
    const struct waiting_connection *waiting = entry->waiting;
    int shared, result = socket_get(waiting->listener, SOL_SOCKET, SO_REUSEPORT, &shared);

    if (result < 0 || !shared) return result;
    return gate_steer(entry->gate, waiting->listener, socket_address_port(&waiting->local),
                      socket_address_port(&waiting->remote));
}

static int shake_hands(struct entry *entry, const struct settings *settings, const char **step) {
    const struct waiting_connection *waiting = entry->waiting;
    int result;

    *step = "TIME_WAIT";
    result = peer_time_wait(&waiting->local, &waiting->remote, &entry->peer, entry->isn, entry->peer_isn,
                            &entry->segment_size);
    if (result < 0) return result;
    *step = "SO_REUSEPORT";
    if ((result = choose_listener(entry)) < 0) return result;
    *step = "SYN";
    if ((result = request(entry, settings)) < 0) return result;
    *step = "ACK";
    if ((result = establish(entry, settings)) < 0) return result;
    if ((result = acknowledge(entry)) < 0) return result;
    *step = "TCP_INFO";
    if ((result = check_agreement(entry)) < 0) return result;
    *step = "RST";
    return entry->saved->state == TCP_CLOSE ? reset(entry) : 0;
}

static int read_settings(int listener, struct settings *settings) {
    int result = socket_get(listener, SOL_SOCKET, SO_RCVBUF, &settings->receive_buffer);

    if (result == 0) result = socket_get(listener, SOL_SOCKET, SO_BUF_LOCK, &settings->buffer_locks);
    if (result == 0) result = socket_get(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, &settings->defer_accept);
    return result;
}

/* With TCP_DEFER_ACCEPT a connection without data would stay out of the queue. */
static int fill_one(const struct waiting_connection *waiting, struct gate *gate, const char **step) {
    const struct tcp_saved *saved = waiting->saved;
    struct entry entry = {
        .waiting = waiting,
        .saved = saved,
        .gate = gate,
        .isn = saved->snd_una - 1,
        .peer_isn = saved->rcv_nxt - saved->receive_length - 1,
        .received = saved->rcv_nxt,
    };
    struct settings settings;
    int result, put_back;

    if (ends_here(&entry)) entry.received++;
    *step = "accept queue";
    if (saved->send_length || saved->fin_sent) return -EINVAL; /* only a program that has accepted it can write */
    if ((result = check_room(waiting->listener)) < 0) return result;
    if ((result = read_settings(waiting->listener, &settings)) < 0) return result;
    *step = "raw socket";
    if ((result = peer_open(&entry.peer, &waiting->local, &waiting->remote, GATE_PASS)) < 0) return result;
    result = settings.defer_accept ? socket_set(waiting->listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0) : 0;
    if (result == 0) result = shake_hands(&entry, &settings, step);
    put_back =
        settings.defer_accept ? socket_set(waiting->listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, settings.defer_accept) : 0;
    peer_close(&entry.peer);
    return result < 0 ? result : put_back;
}

/*
 * The new socket takes the listening one's filter over, so that one has no lock meanwhile: the gate stands in for it.
 */
static int fill_unlocked(const struct waiting_connection *waiting, struct gate *gate, struct failure *failure) {
    struct failure locking = {0};
    int result = socket_unlock(&waiting->listener, 1, &locking), locked;

    failure->step = locking.step;
    if (result < 0) return result;
    result = fill_one(waiting, gate, &failure->step);
    locked = socket_lock(&waiting->listener, 1, 0, &locking);
    if (result < 0) return result;
    failure->step = locking.step;
    return locked;
}

int accept_queue_fill(const struct waiting_connection *waiting, size_t count, const char *pod, const char *own,
                      struct failure *failure) {
    struct gate gate;
    int result;

    *failure = (struct failure){.step = "BPF_LINK_CREATE"};
    if (count == 0) return 0;
    if ((result = gate_shut(&gate, pod, own)) < 0) return result;
    for (size_t i = 0; result == 0 && i < count; i++) {
        failure->index = i;
        result = fill_unlocked(&waiting[i], &gate, failure);
    }
    gate_open(&gate);
    return result;
}
