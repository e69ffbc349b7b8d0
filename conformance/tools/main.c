/* Calls the tool whose name the program was called by, or that is its first argument. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} TOOLS[] = {
    {"eat", eat_main},
    {"grpc-health", grpc_health_main},
    {"http", http_main},
    {"inspect", inspect_main},
    {"mounttest", mounttest_main},
    {"signals", signals_main},
    {"tcp", tcp_main},
    {"udp", udp_main},
};

static struct timespec began;

double uptime(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - began.tv_sec) + (double)(now.tv_nsec - began.tv_nsec) / 1e9;
}

void die(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int run(int argc, char **argv, bool *known) {
    const char *name = argc > 0 ? base_name(argv[0]) : "";
    for (size_t i = 0; i < sizeof TOOLS / sizeof *TOOLS; i++) {
        if (!strcmp(TOOLS[i].name, name)) {
            *known = true;
            return TOOLS[i].run(argc, argv);
        }
    }
    return 2;
}

/* The first process of a container does not end by a signal that it does not ask for. */
static void leave(int number) { _exit(128 + number); }

int main(int argc, char **argv) {
    bool known = false;
    clock_gettime(CLOCK_MONOTONIC, &began);
    signal(SIGTERM, leave);
    signal(SIGINT, leave);
    setvbuf(stdout, NULL, _IOLBF, 0);
    int code = run(argc, argv, &known);
    if (!known && argc > 1) {
        code = run(argc - 1, argv + 1, &known);
    }
    if (!known) {
        fputs("usage: tools eat|grpc-health|http|inspect|mounttest|signals|tcp|udp [OPTION...]\n", stderr);
    }
    return code;
}
