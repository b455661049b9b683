/* breakpoint_slots PID: prints how many hardware breakpoints this task has room for; all four where nobody has left one. */
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_BREAKPOINT,
        .size = sizeof(attributes),
        .bp_type = HW_BREAKPOINT_W,
        .bp_len = HW_BREAKPOINT_LEN_1,
        .disabled = 1,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    int count = 0;

    if (argc != 2) return 2;
    do attributes.bp_addr = (uintptr_t)argv + (uintptr_t)count;
    while (syscall(SYS_perf_event_open, &attributes, atoi(argv[1]), -1, -1, 0L) >= 0 && ++count < 16);
    printf("%d\n", count);
    return 0;
}
