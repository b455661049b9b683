/* Holds a listening socket and a connection with itself while somebody looks at the registry from outside. Writes the
 * three inode numbers; then for each byte of stdin passes one through the connection, and writes a byte. */
#include "check.h"

int main(void) {
    struct sockaddr_in at;
    char byte;
    int listener = listening(&at), ends[2];

    tcp_pair(ends);
    printf("%lu %lu %lu\n", inode_of(listener), inode_of(ends[0]), inode_of(ends[1]));
    fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) == 1) {
        CHECK(listen(listener, 16) == 0);
        CHECK(send(ends[0], &byte, 1, 0) == 1);
        CHECK(recv(ends[1], &byte, 1, 0) == 1);
        CHECK(write(STDOUT_FILENO, &byte, 1) == 1);
    }
    return 0;
}
