/* Reads the command line's options. */
#include <stdlib.h>
#include <string.h>

#include "tools.h"

/* What follows `--name`: "" when nothing does, "=value" or "\0" otherwise; NULL when it is another argument. */
static const char *rest(const char *argument, const char *name) {
    size_t length = strlen(name);
    if (strncmp(argument, "--", 2) || strncmp(argument + 2, name, length)) {
        return NULL;
    }
    const char *after = argument + 2 + length;
    return *after == '=' || *after == '\0' ? after : NULL;
}

const char *option(int argc, char **argv, const char *name) {
    for (int i = 1; i < argc; i++) {
        const char *after = rest(argv[i], name);
        if (after && *after == '=') {
            return after + 1;
        }
        if (after && i + 1 < argc) {
            return argv[i + 1];
        }
    }
    return NULL;
}

long option_number(int argc, char **argv, const char *name, long otherwise) {
    const char *value = option(argc, argv, name);
    return value ? strtol(value, NULL, 0) : otherwise;
}

bool option_flag(int argc, char **argv, const char *name, bool otherwise) {
    for (int i = 1; i < argc; i++) {
        const char *after = rest(argv[i], name);
        if (after) {
            return *after == '\0' || !strcmp(after, "=true");
        }
    }
    return otherwise;
}
