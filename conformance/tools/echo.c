/* tcp, udp: send back what comes.
 *
 *   tcp [--port 8080]    udp [--port 8081]
 */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools.h"

static void echo(int connection) {
    char buffer[65536];
    ssize_t got;
    while ((got = read(connection, buffer, sizeof buffer)) > 0 && write_all(connection, buffer, (size_t)got)) {
    }
}

int tcp_main(int argc, char **argv) {
    serve_connections(option_number(argc, argv, "port", 8080), echo);
    return 0;
}

int udp_main(int argc, char **argv) {
    int file = bound(SOCK_DGRAM, option_number(argc, argv, "port", 8081));
    char buffer[65536];
    for (;;) {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        ssize_t got = recvfrom(file, buffer, sizeof buffer, 0, (struct sockaddr *)&from, &size);
        if (got < 0) {
            die("recvfrom");
        }
        sendto(file, buffer, (size_t)got, 0, (struct sockaddr *)&from, size);
    }
}
