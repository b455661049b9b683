#include "hosts.h"

#include "result.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int namespaces[2] = {-1, -1};

static void make_host(enum host host) {
    need(unshare(CLONE_NEWNET));
    namespaces[host] = need(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
}

static void run(const char *command) {
    int status = system(command);

    if (WEXITSTATUS(status) == 127) missing("iproute2 is not there");
    expect(!status, "%s: status %d", command, status);
}

static void address_host(const char *first, const char *second) {
    char command[512];

    snprintf(command, sizeof(command),
             "ip link set lo up && ip link set eth0 up"
             " && ip addr add 10.78.0.%s/24 dev eth0 && ip addr add fd78::%s/64 dev eth0 nodad",
             first, first);
    run(command);
    if (!second) return;
    snprintf(command, sizeof(command), "ip addr add 10.78.0.%s/24 dev eth0 && ip addr add fd78::%s/64 dev eth0 nodad",
             second, second);
    run(command);
}

void hosts_up(void) {
    char command[256];

    make_host(A);
    make_host(B);
    enter(A);
    snprintf(command, sizeof(command), "ip link add eth0 type veth peer name eth0 netns /proc/%d/fd/%d", getpid(),
             namespaces[B]);
    run(command);
    address_host("1", NULL);
    enter(B);
    address_host("2", "3");
    enter(A);
}

void enter(enum host host) { need(setns(namespaces[host], CLONE_NEWNET)); }

union address address_of(int family, int number, uint16_t port) {
    union address address = {0};
    char text[32];

    if (family == AF_INET) {
        snprintf(text, sizeof(text), "10.78.0.%d", number);
        address.v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
        inet_pton(AF_INET, text, &address.v4.sin_addr);
    } else {
        snprintf(text, sizeof(text), "fd78::%d", number);
        address.v6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
        inet_pton(AF_INET6, text, &address.v6.sin6_addr);
    }
    return address;
}

socklen_t address_size(const union address *address) {
    return address->any.sa_family == AF_INET ? sizeof(address->v4) : sizeof(address->v6);
}

uint16_t port_of(const union address *address) {
    return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
}

union address local_of(int fd) {
    union address address = {0};
    socklen_t size = sizeof(address);

    need(getsockname(fd, &address.any, &size));
    return address;
}

union address remote_of(int fd) {
    union address address = {0};
    socklen_t size = sizeof(address);

    need(getpeername(fd, &address.any, &size));
    return address;
}

int listen_on_b(int family) {
    union address address = address_of(family, 2, 0);
    int fd;

    enter(B);
    fd = need(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    need(bind(fd, &address.any, address_size(&address)));
    need(listen(fd, 8));
    enter(A);
    return fd;
}

struct connection connect_hosts(int family) {
    int listener = listen_on_b(family);
    union address address = local_of(listener);
    struct connection connection;

    connection.a = need(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    need(connect(connection.a, &address.any, address_size(&address)));
    connection.b = need(accept4(listener, NULL, NULL, SOCK_CLOEXEC));
    close(listener);
    return connection;
}

int readable(int fd, int milliseconds) {
    struct pollfd poller = {.fd = fd, .events = POLLIN};

    return need(poll(&poller, 1, milliseconds)) > 0;
}

void fill_pattern(uint8_t *bytes, size_t offset, size_t size) {
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)((offset + i) * 2654435761u >> 13);
}

void send_pattern(int fd, size_t offset, size_t size) {
    uint8_t bytes[16384];

    for (size_t done = 0, part; done < size; done += part) {
        part = size - done < sizeof(bytes) ? size - done : sizeof(bytes);
        fill_pattern(bytes, offset + done, part);
        part = need(send(fd, bytes, part, MSG_NOSIGNAL));
    }
}

size_t receive_pattern(int fd, size_t offset, size_t size) {
    uint8_t bytes[16384], wanted[sizeof(bytes)];
    size_t done = 0;
    ssize_t got;

    while (done < size && readable(fd, 3000)) {
        got = recv(fd, bytes, size - done < sizeof(bytes) ? size - done : sizeof(bytes), 0);
        if (got <= 0) break;
        fill_pattern(wanted, offset + done, got);
        expect(!memcmp(bytes, wanted, got), "bytes %zu to %zu are not the ones sent", offset + done,
               offset + done + got);
        done += got;
    }
    return done;
}
