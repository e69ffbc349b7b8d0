/* eat: uses up what it is told to, says so, and stays (or ends, with --exit).
 *
 *   eat memory --mib N      eat pids --count N      eat disk --path FILE --mib N
 *   eat cpu --seconds N [--threads N]
 *
 * Memory is touched, disk is written a MiB at a time; a limit that is met is said with its errno, exit code 1.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools.h"

enum { MIB = 1024 * 1024 };
static volatile bool spinning = true;

static void memory(int argc, char **argv) {
    long wanted = option_number(argc, argv, "mib", 16);
    for (long i = 0; i < wanted; i++) {
        char *block = malloc(MIB);
        if (!block) {
            die("malloc");
        }
        memset(block, (int)(i % 255) + 1, MIB);
    }
    printf("ate %ld MiB of memory\n", wanted);
}

static void disk(int argc, char **argv) {
    long wanted = option_number(argc, argv, "mib", 16);
    const char *path = option(argc, argv, "path");
    char *block = calloc(1, MIB);
    int file = open(path ? path : "/eaten", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (!block || file < 0) {
        die("open");
    }
    for (long i = 0; i < wanted; i++) {
        if (!write_all(file, block, MIB)) {
            die("write");
        }
    }
    fsync(file);
    free(block);
    printf("ate %ld MiB of disk\n", wanted);
}

static void pids(int argc, char **argv) {
    long wanted = option_number(argc, argv, "count", 16);
    signal(SIGCHLD, SIG_IGN);
    for (long i = 0; i < wanted; i++) {
        pid_t child = fork();
        if (child < 0) {
            printf("ate %ld pids\n", i);
            die("fork");
        }
        if (child == 0) {
            pause();
            _exit(0);
        }
    }
    printf("ate %ld pids\n", wanted);
}

static void *spin(void *nothing) {
    while (spinning) {
    }
    return nothing;
}

static void cpu(int argc, char **argv) {
    long threads = option_number(argc, argv, "threads", 1), seconds = option_number(argc, argv, "seconds", 1);
    for (long i = 0; i < threads; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, spin, NULL)) {
            die("thread");
        }
    }
    sleep((unsigned)seconds);
    spinning = false;
    printf("ate %ld s of cpu\n", seconds);
}

static const struct {
    const char *name;
    void (*eat)(int argc, char **argv);
} FOODS[] = {{"memory", memory}, {"disk", disk}, {"pids", pids}, {"cpu", cpu}};

int eat_main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof FOODS / sizeof *FOODS; i++) {
        if (strcmp(argv[1], FOODS[i].name)) {
            continue;
        }
        FOODS[i].eat(argc, argv);
        while (!option_flag(argc, argv, "exit", false)) {
            pause();
        }
        return 0;
    }
    fputs("usage: eat memory|cpu|pids|disk [OPTION...]\n", stderr);
    return 2;
}
