/* migrun-init, whose first process, the parent of init, closes its descriptors and ends only later, as on a host that has no
 * CPU to spare between the two (do_exit() in kernel/exit.c). */
#define main init_main
#include "../../../native/init/init.c"
#undef main

int main(int argc, char **argv) {
    int status = init_main(argc, argv);

    if (getpid() != 1) {
        close_range(0, ~0U, 0);
        usleep(300 * 1000);
    }
    return status;
}
