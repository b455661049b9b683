/* More sockets than the registry's first part has slots: two processes with some ten thousand each. */
#include <sys/resource.h>
#include <sys/wait.h>

#include "check.h"

#define OF_EACH 17000
/* The lowest descriptor of them, above the registry's own. */
#define FIRST 2000

_Static_assert(2 * OF_EACH > REGISTRY_FIRST_SLOTS, "more than the first part's");

static int nth(int index) { return FIRST + index; }

/* Lets this process have as many descriptors as the system allows. Returns how many. */
static int allow(void) {
    struct rlimit limit;

    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    CHECK(limit.rlim_max > FIRST + OF_EACH);
    return limit.rlim_max < (1 << 20) ? (int)limit.rlim_max : 1 << 20;
}

static void open_all(void) {
    for (int i = 0; i < OF_EACH; i++) {
        int fd = OK(socket(AF_INET, i % 2 ? SOCK_DGRAM : SOCK_STREAM, 0));
        OK(dup2(fd, nth(i)));
        OK(close(fd));
    }
}

static void expect_all(uint32_t wanted) {
    for (int i = 0; i < OF_EACH; i++) CHECK(references(nth(i)) == wanted);
}

static void records_reach(void) {
    struct sockaddr_in any = {.sin_family = AF_INET};
    int fd = nth(OF_EACH - 2);

    CHECK(slot_of_inode(inode_of(nth(OF_EACH - 1))) >= (int32_t)REGISTRY_FIRST_SLOTS);
    CHECK(record(nth(OF_EACH - 1))->type == SOCK_DGRAM && record(fd)->type == SOCK_STREAM);
    OK(bind(fd, generic(&any), sizeof any));
    OK(listen(fd, 1));
    CHECK(state(fd) == REGISTRY_LISTENING);
}

static void forks_count(void) {
    pid_t child = OK(fork());

    if (child == 0) {
        expect_all(2);
        _exit(0);
    }
    succeeds(child);
    expect_all(1);
}

static void high_descriptors(int end) {
    int fd = nth(0), highest = end - 1;

    CHECK(dup2(fd, highest) == highest && references(fd) == 2);
    OK(close(highest));
    CHECK(references(fd) == 1);
    CHECK(dup2(fd, highest) == highest && references(fd) == 2);
    OK(close_range((unsigned int)highest - 1, ~0u, 0));
    CHECK(references(fd) == 1);
}

/* The second process, whose sockets do not all fit beside the first one's. */
static void second(const char *self, int end) {
    open_all();
    registry_open_more();
    expect_all(1);
    records_reach();
    forks_count();
    high_descriptors(end);
    execl(self, self, "again", NULL);
    CHECK(!"execl");
}

int main(int argc, char **argv) {
    uint64_t gone;
    pid_t child;
    int end;

    registry_open();
    if (argc > 1) {
        registry_open_more();
        expect_all(1);
        return 0;
    }
    end = allow();
    open_all();
    child = OK(fork());
    if (child == 0) {
        closefrom(FIRST);
        /* Its sockets come after the first process's own, which keep their slots. */
        second(argv[0], end);
    }
    succeeds(child);
    registry_open_more();
    expect_all(1);
    gone = inode_of(nth(0));
    OK(close(nth(0)));
    CHECK(references_of_inode(gone) == 0);
    return 0;
}
