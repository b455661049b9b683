#include "tcp.h"

#include "result.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

enum { OPTION_MSS = 2, OPTION_WINDOW_SCALE = 3, OPTION_SACK_PERMITTED = 4, OPTION_TIMESTAMP = 8 };

void lock(int fd) {
    struct sock_filter drop_all = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog filter = {.len = 1, .filter = &drop_all};

    need(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)));
}

void unlock(int fd) { set_option(fd, SOL_SOCKET, SO_DETACH_FILTER, 0); }

int get_option(int fd, int level, int option) {
    int value = 0;
    socklen_t size = sizeof(value);

    need(getsockopt(fd, level, option, &value, &size));
    return value;
}

void set_option(int fd, int level, int option, int value) {
    need(setsockopt(fd, level, option, &value, sizeof(value)));
}

void repair(int fd, int on) { set_option(fd, IPPROTO_TCP, TCP_REPAIR, on); }

uint32_t queue_seq(int fd, int queue) {
    set_option(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);
    return get_option(fd, IPPROTO_TCP, TCP_QUEUE_SEQ);
}

struct tcp_info tcp_info_of(int fd) {
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);

    need(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size));
    return info;
}

static int ioctl_int(int fd, unsigned long request) {
    int value = 0;

    need(ioctl(fd, request, &value));
    return value;
}

int unread(int fd) { return ioctl_int(fd, SIOCINQ); }

int unacknowledged(int fd) { return ioctl_int(fd, SIOCOUTQ); }

int unsent(int fd) { return ioctl_int(fd, SIOCOUTQNSD); }

void wait_acknowledged(int fd) {
    while (unacknowledged(fd)) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void peek(int fd, int queue, uint8_t *bytes, int size) {
    expect(size <= QUEUE_MAX, "a queue of %d bytes is more than these programs handle", size);
    set_option(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);
    if (size)
        expect(need(recv(fd, bytes, size, MSG_PEEK | MSG_DONTWAIT)) == size, "a queue of %d bytes read short", size);
}

void save(int fd, struct saved *saved) {
    socklen_t size = sizeof(saved->window);
    int queued;

    saved->local = local_of(fd);
    saved->remote = remote_of(fd);
    repair(fd, TCP_REPAIR_ON);
    saved->info = tcp_info_of(fd);
    queued = unacknowledged(fd);
    saved->unsent = unsent(fd);
    saved->sent = queued - saved->unsent;
    saved->received = unread(fd);
    saved->mss_clamp = get_option(fd, IPPROTO_TCP, TCP_MAXSEG);
    saved->connect_mss = saved->mss_clamp;
    saved->timestamp = get_option(fd, IPPROTO_TCP, TCP_TIMESTAMP);
    need(getsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &saved->window, &size));
    saved->send_start = queue_seq(fd, TCP_SEND_QUEUE) - queued;
    saved->receive_start = queue_seq(fd, TCP_RECV_QUEUE) - saved->received;
    peek(fd, TCP_SEND_QUEUE, saved->send_queue, queued);
    peek(fd, TCP_RECV_QUEUE, saved->receive_queue, saved->received);
}

static void set_queue_seq(int fd, int queue, uint32_t seq) {
    set_option(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);
    set_option(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, seq);
}

static void set_options(int fd, const struct saved *saved) {
    struct tcp_repair_opt options[4];
    int count = 0;

    options[count++] = (struct tcp_repair_opt){.opt_code = OPTION_MSS, .opt_val = saved->mss_clamp};
    if (saved->info.tcpi_options & TCPI_OPT_SACK)
        options[count++] = (struct tcp_repair_opt){.opt_code = OPTION_SACK_PERMITTED};
    if (saved->info.tcpi_options & TCPI_OPT_WSCALE)
        options[count++] = (struct tcp_repair_opt){
            .opt_code = OPTION_WINDOW_SCALE,
            .opt_val = saved->info.tcpi_snd_wscale | saved->info.tcpi_rcv_wscale << 16,
        };
    if (saved->info.tcpi_options & TCPI_OPT_TIMESTAMPS)
        options[count++] = (struct tcp_repair_opt){.opt_code = OPTION_TIMESTAMP};
    need(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_OPTIONS, options, count * sizeof(*options)));
    if (saved->info.tcpi_options & TCPI_OPT_TIMESTAMPS) set_option(fd, IPPROTO_TCP, TCP_TIMESTAMP, saved->timestamp);
}

void revive_empty(int fd, const struct saved *saved) {
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    union address bound;

    repair(fd, TCP_REPAIR_ON);
    need(connect(fd, &nobody, sizeof(nobody)));
    get_option(fd, SOL_SOCKET, SO_ERROR);
    set_queue_seq(fd, TCP_SEND_QUEUE, saved->send_start);
    set_queue_seq(fd, TCP_RECV_QUEUE, saved->receive_start);
    if (bind(fd, &saved->local.any, address_size(&saved->local))) { /* bound_port_survives_disconnect.c */
        need(errno == EINVAL ? 0 : -1);
        bound = local_of(fd);
        expect(!memcmp(&bound, &saved->local, address_size(&bound)), "bound to another address for good");
    }
    if (saved->connect_mss) /* repaired_segment_size_is_smallest.c; connect(AF_UNSPEC) resets it */
        set_option(fd, IPPROTO_TCP, TCP_MAXSEG, saved->connect_mss);
    need(connect(fd, &saved->remote.any, address_size(&saved->remote)));
    set_options(fd, saved);
}

static void fill_queue(int fd, int queue, const uint8_t *bytes, int size) {
    int done = 0;

    set_option(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue);
    while (done < size) done += need(send(fd, bytes + done, size - done > 4096 ? 4096 : size - done, MSG_NOSIGNAL));
}

void revive_queues(int fd, const struct saved *saved) {
    fill_queue(fd, TCP_RECV_QUEUE, saved->receive_queue, saved->received);
    fill_queue(fd, TCP_SEND_QUEUE, saved->send_queue, saved->sent);
    need(setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &saved->window, sizeof(saved->window)));
    set_option(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, TCP_NO_QUEUE);
}

void revive_release(int fd, const struct saved *saved) {
    setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &(int){0}, sizeof(int)); /* ENOENT where it is not locked */
    repair(fd, TCP_REPAIR_OFF);
    for (int done = 0; done < saved->unsent;)
        done +=
            need(send(fd, saved->send_queue + saved->sent + done, saved->unsent - done, MSG_NOSIGNAL | MSG_DONTWAIT));
}

void revive(int fd, const struct saved *saved) {
    revive_empty(fd, saved);
    revive_queues(fd, saved);
    revive_release(fd, saved);
}
