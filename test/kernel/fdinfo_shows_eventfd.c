/* fdinfo shows an eventfd's count, in hexadecimal, whole, and whether it is a semaphore, and takes nothing of it.
 *
 * Source: eventfd_show_fdinfo() in fs/eventfd.c: eventfd-count, eventfd-id and, from Linux 6.5 on, eventfd-semaphore.
 * Relied on by: the preflight. CRIU 4.2 keeps 32 bits of the count, and makes a semaphore a plain eventfd. */
#include "harness/result.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void expect_shown(int fd, uint64_t count, int semaphore) {
    uint64_t shown = UINT64_MAX;
    char path[64], line[256];
    int is_one = -1;
    FILE *info;

    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
    info = fopen(path, "re");
    expect(info, "there is no %s", path);
    while (fgets(line, sizeof(line), info)) {
        sscanf(line, "eventfd-count: %" SCNx64, &shown);
        sscanf(line, "eventfd-semaphore: %d", &is_one);
    }
    fclose(info);
    expect(shown == count, "a count of %" PRIx64 " is shown as %" PRIx64, count, shown);
    expect(is_one == semaphore, "a semaphore of %d is shown as %d", semaphore, is_one);
}

static void body(void) {
    static const uint64_t counts[] = {0, 0x1f, UINT64_C(0x100000000), UINT64_MAX - 1};

    for (int semaphore = 0; semaphore < 2; semaphore++)
        for (unsigned int i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
            int fd = need(eventfd(0, semaphore ? EFD_SEMAPHORE : 0));
            uint64_t read_back;

            need(write(fd, &counts[i], sizeof(counts[i])));
            expect_shown(fd, counts[i], semaphore);
            expect_shown(fd, counts[i], semaphore);
            if (counts[i] == 0) continue;
            need(read(fd, &read_back, sizeof(read_back)));
            expect(read_back == (semaphore ? 1 : counts[i]), "%" PRIx64 " was read", read_back);
        }
    holds("counts from 0 to 2^64 - 2, of both kinds");
}

int main(void) { return check(body); }
