/* connect(AF_UNSPEC) frees a port that accept gave, though getsockname() goes on naming it, but not one that bind() gave.
 *
 * Source: tcp_set_state() in net/ipv4/tcp.c puts the port back (inet_num = 0, not inet_sport) except under
 * SOCK_BINDPORT_LOCK, which __inet_bind() in net/ipv4/af_inet.c sets; that refuses where inet_num is set.
 * Relied on by: revive always binds, and takes EINVAL where getsockname() then says the wanted address. Skipping the
 * bind by getsockname() alone would connect from a port of the kernel's choice. A socket that was revived once, or
 * that the program bound itself, keeps its local address as long as it lives: on a target it is a new socket. */
#include "harness/hosts.h"
#include "harness/result.h"
#include "harness/tcp.h"

#include <errno.h>
#include <string.h>

static bool same(int fd, const union address *address) {
    union address local = local_of(fd);

    return !memcmp(&local, address, address_size(address));
}

static void disconnect(int fd) {
    struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    need(connect(fd, &nobody, sizeof(nobody)));
    get_option(fd, SOL_SOCKET, SO_ERROR);
}

static void body(int family) {
    union address other = address_of(family, 3, 4884);
    struct connection connection;
    static struct saved saved;
    socklen_t size = address_size(&other);

    hosts_up();
    connection = connect_hosts(family);
    enter(B);
    lock(connection.b);
    save(connection.b, &saved);

    disconnect(connection.b);
    expect(same(connection.b, &saved.local), "an accepted socket's name does not stay");
    need(connect(connection.b, &saved.remote.any, size));
    expect(!same(connection.b, &saved.local), "an accepted socket's port stays with its name");

    disconnect(connection.b);
    need(bind(connection.b, &other.any, size));
    need(connect(connection.b, &saved.remote.any, size));
    disconnect(connection.b);
    expect(bind(connection.b, &other.any, size) < 0 && errno == EINVAL, "the bound address again: not EINVAL");
    expect(bind(connection.b, &saved.local.any, size) < 0 && errno == EINVAL, "another address: not EINVAL");
    need(connect(connection.b, &saved.remote.any, size));
    expect(same(connection.b, &other), "the bound address did not stay");
    holds("an accepted socket keeps the name but not the port; a bound one keeps both, bind() again: EINVAL");
}

int main(void) { return check_families(body); }
