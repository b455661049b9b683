#include "bulk.h"

#include "hosts.h"
#include "result.h"
#include "task.h"

struct sending {
    int fd;
    size_t size;
};

static int send_all(void *argument) {
    struct sending *sending = argument;

    send_pattern(sending->fd, 0, sending->size);
    return 0;
}

void stream(int from, int to, size_t size) {
    struct sending sending = {.fd = from, .size = size};
    pid_t sender = start(send_all, &sending);

    expect(receive_pattern(to, 0, size) == size, "of a stream of %zu bytes not all came", size);
    need(finish(sender) == 0 ? 0 : -1);
}
