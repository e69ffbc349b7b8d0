/* signals: says every signal that it gets, with the time.
 *
 *   --exit-code N      the exit code after SIGTERM (0)
 *   --delay SECONDS    between SIGTERM and the end (0)
 *   --ignore-term      SIGTERM does not end it
 *   --file PATH        say it there, too (appended)
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools.h"

static FILE *copy;

static void say(const char *what) {
    struct timespec now;
    struct tm parts;
    char moment[32], line[128];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &parts);
    strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(line, sizeof line, "%s.%03ldZ %s\n", moment, now.tv_nsec / 1000000, what);
    fputs(line, stdout);
    if (copy) {
        fputs(line, copy);
        fflush(copy);
    }
}

static void say_signal(int number) {
    const char *name = sigabbrev_np(number);
    char text[32];
    if (name) {
        snprintf(text, sizeof text, "SIG%s", name);
    } else {
        snprintf(text, sizeof text, "signal %d", number);
    }
    say(text);
}

int signals_main(int argc, char **argv) {
    bool ignore_term = option_flag(argc, argv, "ignore-term", false);
    long delay = option_number(argc, argv, "delay", 0);
    const char *path = option(argc, argv, "file");
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    copy = path ? fopen(path, "ae") : NULL;
    say("ready");
    for (double end = 0; end == 0 || uptime() < end;) {
        struct timespec tick = {.tv_nsec = 50000000};
        int number = end > 0 ? sigtimedwait(&all, NULL, &tick) : sigwaitinfo(&all, NULL);
        if (number > 0) {
            say_signal(number);
        }
        if (number == SIGTERM && !ignore_term && end == 0) {
            end = uptime() + (double)delay;
        }
    }
    say("ends");
    return (int)option_number(argc, argv, "exit-code", 0);
}
