#include "socket/collect.h"

#include "kernel/array.h"
#include "kernel/process.h"
#include "socket/obstacles.h"
#include "socket/socket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct collection {
    struct program_socket *sockets;
    size_t count;
    void *inodes; /* a tsearch(3) tree of the inodes seen; the key is the number itself */
};

static int describe_tcp(int fd, struct program_socket *socket) {
    struct tcp_info info;
    int result = socket_tcp_info(fd, &info);

    if (result < 0) return result;
    socket->state = info.tcpi_state;
    /* Of a listening socket these two describe the accept queue (tcp_get_info() in net/ipv4/tcp.c). */
    if (socket->state == TCP_LISTEN) {
        socket->backlog = info.tcpi_unacked;
        socket->backlog_limit = info.tcpi_sacked;
    }
    return 0;
}

static int describe_closed(int fd, struct program_socket *socket) {
    union socket_address former;
    int result = socket_former_remote(fd, socket->family, &former);

    socket->ended = result == 0 && socket_address_port(&former) != 0;
    return result;
}

int socket_describe(int fd, struct program_socket *socket) {
    struct stat status;
    int result;

    memset(socket, 0, sizeof *socket);
    socket->fd = fd;
    socket->pid = socket->pfd = -1;
    if ((result = socket_get(fd, SOL_SOCKET, SO_DOMAIN, &socket->family)) < 0) return result;
    if (socket->family != AF_INET && socket->family != AF_INET6) return -EAFNOSUPPORT;
    if (fstat(fd, &status)) return -errno;
    socket->inode = status.st_ino;
    if ((result = socket_get(fd, SOL_SOCKET, SO_TYPE, &socket->type)) < 0) return result;
    if ((result = socket_get(fd, SOL_SOCKET, SO_PROTOCOL, &socket->protocol)) < 0) return result;
    if ((result = socket_local(fd, &socket->local)) < 0) return result;
    if ((result = socket_remote(fd, socket->family, &socket->remote)) < 0) return result;
    if (socket->protocol == IPPROTO_TCP && socket->type == SOCK_STREAM) result = describe_tcp(fd, socket);
    if (result == 0 && socket->state == TCP_SYN_SENT)
        result = socket_former_remote(fd, socket->family, &socket->remote);
    if (result == 0 && socket->state == TCP_CLOSE) result = describe_closed(fd, socket);
    socket->obstacles = socket_obstacles(fd, socket->state);
    return result;
}

static int read_state(int fd, int *state) {
    struct program_socket socket = {0};
    int type, result;

    if ((result = socket_get(fd, SOL_SOCKET, SO_TYPE, &type)) < 0) return result;
    if ((result = socket_get(fd, SOL_SOCKET, SO_PROTOCOL, &socket.protocol)) < 0) return result;
    if (socket.protocol == IPPROTO_TCP && type == SOCK_STREAM) result = describe_tcp(fd, &socket);
    *state = socket.state;
    return result;
}

int socket_tcp_states(const int *fds, size_t count, int *states, struct failure *failure) {
    int result = 0;

    *failure = (struct failure){.step = "TCP_INFO"};
    for (size_t i = 0; result == 0 && i < count; i++) {
        failure->index = i;
        result = read_state(fds[i], &states[i]);
    }
    return result;
}

static int by_number(const void *a, const void *b) {
    return ((uintptr_t)a > (uintptr_t)b) - ((uintptr_t)a < (uintptr_t)b);
}

static void keep_inode(void *inode) { (void)inode; }

/* Takes one descriptor of a process. Sockets of other families are skipped. */
static int take(struct collection *collection, int pidfd, pid_t pid, int pfd) {
    struct program_socket *place = array_grow(collection->sockets, collection->count, sizeof *place);
    int fd, result;

    if (!place) return -ENOMEM;
    collection->sockets = place;
    place += collection->count;
    fd = process_take_fd(pidfd, pfd);
    if (fd < 0) return fd == -EBADF ? 0 : fd; /* closed meanwhile */
    result = socket_describe(fd, place);
    if (result < 0) {
        close(fd);
        return result == -EAFNOSUPPORT || result == -ENOTSOCK ? 0 : result;
    }
    place->pid = pid;
    place->pfd = pfd;
    collection->count++;
    return 0;
}

/* Returns 1 where the link names a socket whose inode was not seen before. */
static int is_new_socket(struct collection *collection, int directory, const char *name) {
    unsigned long inode;
    char target[64];
    ssize_t length = readlinkat(directory, name, target, sizeof target - 1);

    if (length < 0) return errno == ENOENT ? 0 : -errno;
    target[length] = '\0';
    if (sscanf(target, "socket:[%lu]", &inode) != 1) return 0;
    if (tfind((const void *)(uintptr_t)inode, &collection->inodes, by_number)) return 0;
    return tsearch((const void *)(uintptr_t)inode, &collection->inodes, by_number) ? 1 : -ENOMEM;
}

static int by_descriptor(const struct dirent **a, const struct dirent **b) {
    int left = atoi((*a)->d_name), right = atoi((*b)->d_name);

    return (left > right) - (left < right);
}

static int is_number(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static int collect_process(struct collection *collection, pid_t pid) {
    struct dirent **entries = NULL;
    char path[64];
    int count, result = 0, pidfd = process_open(pid), directory = -1;

    if (pidfd < 0) return pidfd;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    count = directory < 0 ? -1 : scandir(path, &entries, is_number, by_descriptor);
    if (count < 0) result = errno == ENOENT ? -ESRCH : -errno;
    for (int i = 0; i < count; i++) {
        if (result == 0) result = is_new_socket(collection, directory, entries[i]->d_name);
        if (result == 1) result = take(collection, pidfd, pid, atoi(entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    if (directory >= 0) close(directory);
    close(pidfd);
    return result;
}

int socket_collect(const pid_t *pids, size_t count, struct program_socket **sockets, size_t *found,
                   struct failure *failure) {
    struct collection collection = {0};
    int result = 0;

    *failure = (struct failure){.step = "pidfd_getfd"};
    for (size_t i = 0; result == 0 && i < count; i++) {
        failure->index = i;
        result = collect_process(&collection, pids[i]);
        if (result == -ESRCH) result = 0; /* it has ended, and its descriptors with it */
    }
    tdestroy(collection.inodes, keep_inode);
    if (result < 0) {
        for (size_t i = 0; i < collection.count; i++) close(collection.sockets[i].fd);
        free(collection.sockets);
        return result;
    }
    *sockets = collection.sockets;
    *found = collection.count;
    return 0;
}
