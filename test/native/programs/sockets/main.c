/* `list` prints the names of the cases, one a line; a name runs that case: 0 it passed, 1 it failed. */
#include "cases.h"
#include "pair.h"

#include <errno.h>
#include <string.h>

static const struct test_case *const tables[] = {lock_cases,   move_cases, half_closed_cases,
                                                 socket_cases, udp_cases,  accept_queue_cases};

long need_result(long result, const char *call, const char *file, int line) {
    if (result >= 0) return result;
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, call, strerror(result == -1 ? errno : (int)-result));
    exit(1);
}

void returns_result(long result, long value, const char *call, const char *file, int line) {
    if (result == value) return;
    fprintf(stderr, "%s:%d: %s returned %ld (%s), not %ld\n", file, line, call, result,
            result < 0 ? strerror((int)-result) : "no error", value);
    exit(1);
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    for (size_t table = 0; table < sizeof tables / sizeof *tables; table++)
        for (const struct test_case *one = tables[table]; one->name; one++) {
            if (strcmp(argv[1], "list") == 0) {
                puts(one->name);
            } else if (strcmp(argv[1], one->name) == 0) {
                network_make();
                one->run();
                return 0;
            }
        }
    return strcmp(argv[1], "list") == 0 ? 0 : 2;
}
