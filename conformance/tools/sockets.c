/* Listening sockets, and a thread for each connection. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools.h"

struct service {
    int socket;
    void (*serve)(int connection);
};

static int bound_to(int family, int kind, long port) {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)port)};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int file = socket(family, kind | SOCK_CLOEXEC, 0), on = 1, off = 0;
    if (file < 0) {
        return -1;
    }
    setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool is_six = family == AF_INET6;
    if (is_six) {
        setsockopt(file, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
    const struct sockaddr *address = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
    if (bind(file, address, is_six ? sizeof six : sizeof four)) {
        close(file);
        return -1;
    }
    return file;
}

int bound(int kind, long port) {
    int file = bound_to(AF_INET6, kind, port);
    if (file < 0) {
        file = bound_to(AF_INET, kind, port);
    }
    if (file < 0 || (kind == SOCK_STREAM && listen(file, 128))) {
        die("listen");
    }
    return file;
}

static void *serve_one(void *given) {
    struct service *service = given;
    service->serve(service->socket);
    close(service->socket);
    free(service);
    return NULL;
}

static void begin(void *(*run)(void *), int socket, void (*serve)(int)) {
    struct service *service = malloc(sizeof *service);
    pthread_t thread;
    if (!service) {
        die("malloc");
    }
    *service = (struct service){socket, serve};
    if (pthread_create(&thread, NULL, run, service)) {
        close(socket);
        free(service);
        return;
    }
    pthread_detach(thread);
}

static void *accept_all(void *given) {
    struct service *service = given;
    for (;;) {
        int connection = accept4(service->socket, NULL, NULL, SOCK_CLOEXEC);
        if (connection >= 0) {
            begin(serve_one, connection, service->serve);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            die("accept");
        }
    }
}

void serve_connections(long port, void (*serve)(int connection)) {
    signal(SIGPIPE, SIG_IGN);
    struct service service = {bound(SOCK_STREAM, port), serve};
    accept_all(&service);
}

void serve_connections_beside(long port, void (*serve)(int connection)) {
    signal(SIGPIPE, SIG_IGN);
    begin(accept_all, bound(SOCK_STREAM, port), serve);
}

bool write_all(int file, const void *data, size_t length) {
    const char *rest = data;
    while (length) {
        ssize_t written = write(file, rest, length);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            rest += written;
            length -= (size_t)written;
        }
    }
    return true;
}

bool read_all(int file, void *data, size_t length) {
    char *rest = data;
    while (length) {
        ssize_t got = read(file, rest, length);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        if (got > 0) {
            rest += got;
            length -= (size_t)got;
        }
    }
    return true;
}
