/* Prints snd_una, snd_nxt, rcv_nxt and the peer's window of an idle connection: tcp_numbers PID FD. Sends nothing. */
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "kernel/process.h"

static void set(int fd, int option, int value) {
    if (setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value) == 0) return;
    perror("setsockopt");
    exit(1);
}

static uint32_t queue_end(int fd, int queue) {
    uint32_t end = 0;
    socklen_t size = sizeof end;

    set(fd, TCP_REPAIR_QUEUE, queue);
    getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &end, &size);
    return end;
}

int main(int argc, char **argv) {
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    int unacknowledged = 0, unsent = 0;
    int fd = argc == 3 ? process_take_fd(process_open(atoi(argv[1])), atoi(argv[2])) : -1;

    if (fd < 0) return 2;
    ioctl(fd, SIOCOUTQ, &unacknowledged);
    ioctl(fd, SIOCOUTQNSD, &unsent);
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    set(fd, TCP_REPAIR, TCP_REPAIR_ON);
    uint32_t sent = queue_end(fd, TCP_SEND_QUEUE), received = queue_end(fd, TCP_RECV_QUEUE);
    set(fd, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
    printf("%u %u %u %u\n", sent - (uint32_t)unacknowledged, sent - (uint32_t)unsent, received, info.tcpi_snd_wnd);
    return 0;
}
