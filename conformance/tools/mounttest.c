/* mounttest: says what a path is, or writes and reads it, in the words of Kubernetes' own tool of that name.
 *
 *   --fs_type --file_mode --file_perm --file_owner --file_content PATH
 *   --new_file_0644 --new_file_0660 --new_file_0666 --new_file_0777 PATH    write, then read
 *   --file_content_in_loop PATH [--retry_time SECONDS] [--break_on_expected_content=false]
 *
 * They are done in this order; the exit code is 1 when any failed.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tools.h"

static const char NEW_CONTENT[] = "mount-tester new file\n";
static const long TMPFS = 0x01021994;
static bool failed;

/* errno in Go's words: the call and the path before it, no capital. */
static const char *go_error(const char *call, const char *path) {
    static char text[4352];
    char words[128];
    snprintf(words, sizeof words, "%s", strerror(errno));
    words[0] = (char)tolower((unsigned char)words[0]);
    snprintf(text, sizeof text, "%s %.4096s: %s", call, path, words);
    return text;
}

static void fail(const char *what, const char *call, const char *path) {
    printf("%s \"%s\": %s\n", what, path, go_error(call, path));
    failed = true;
}

static void fs_type(const char *path) {
    struct statfs found;
    if (statfs(path, &found)) {
        fail("error from statfs", "statfs", path);
    } else if (found.f_type == TMPFS) {
        printf("mount type of \"%s\": tmpfs\n", path);
    } else {
        printf("mount type of \"%s\": %ld\n", path, (long)found.f_type);
    }
}

/* As Go spells a file's mode: the type and special bits that are set, then nine permissions. */
static void mode_text(mode_t mode, bool with_type, char *text) {
    static const char LETTERS[] = "rwxrwxrwx";
    char *end = text;
    if (with_type) {
        const struct { bool set; char letter; } BITS[] = {
            {S_ISDIR(mode), 'd'}, {S_ISLNK(mode), 'L'}, {S_ISBLK(mode), 'D'}, {S_ISCHR(mode), 'D'},
            {S_ISFIFO(mode), 'p'}, {S_ISSOCK(mode), 'S'}, {mode & S_ISUID, 'u'}, {mode & S_ISGID, 'g'},
            {S_ISCHR(mode), 'c'}, {mode & S_ISVTX, 't'},
        };
        for (size_t i = 0; i < sizeof BITS / sizeof *BITS; i++) {
            if (BITS[i].set) {
                *end++ = BITS[i].letter;
            }
        }
    }
    if (end == text) {
        *end++ = '-';
    }
    for (int i = 0; i < 9; i++) {
        *end++ = mode & (0400 >> i) ? LETTERS[i] : '-';
    }
    *end = '\0';
}

static void mode(const char *path, bool whole) {
    struct stat found;
    char text[24];
    if (stat(path, &found)) {
        fail("error from Stat", "stat", path);
        return;
    }
    mode_text(found.st_mode, whole, text);
    printf("%s of file \"%s\": %s\n", whole ? "mode" : "perms", path, text);
}

static void file_mode(const char *path) { mode(path, true); }
static void file_perm(const char *path) { mode(path, false); }

static void file_owner(const char *path) {
    struct stat found;
    if (stat(path, &found)) {
        fail("error from stat", "stat", path);
        return;
    }
    printf("owner UID of \"%s\": %u\n", path, (unsigned)found.st_uid);
    printf("owner GID of \"%s\": %u\n", path, (unsigned)found.st_gid);
}

/* The content, NUL-terminated and to be freed; NULL with errno set when it cannot be read. */
static char *content_of(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0, room = 4096;
    char *content = file < 0 ? NULL : malloc(room + 1);
    ssize_t got = 0;
    while (content && (got = read(file, content + length, room - length)) > 0) {
        length += (size_t)got;
        if (length == room) {
            content = realloc(content, (room *= 2) + 1);
        }
    }
    if (content && got < 0) {
        free(content);
        content = NULL;
    }
    if (content) {
        content[length] = '\0';
    }
    if (file >= 0) {
        int kept = errno;
        close(file);
        errno = kept;
    }
    return content;
}

static void file_content(const char *path) {
    char *content = content_of(path);
    if (!content) {
        fail("error reading file content for", "open", path);
        return;
    }
    printf("content of file \"%s\": %s\n", path, content);
    free(content);
}

static void new_file(const char *path, mode_t permissions) {
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, permissions);
    if (file < 0 || !write_all(file, NEW_CONTENT, sizeof NEW_CONTENT - 1)) {
        fail("error writing new file", "open", path);
        if (file >= 0) {
            close(file);
        }
        return;
    }
    close(file);
    file_content(path);
}

static void new_file_0644(const char *path) { new_file(path, 0644); }
static void new_file_0660(const char *path) { new_file(path, 0660); }
static void new_file_0666(const char *path) { new_file(path, 0666); }
static void new_file_0777(const char *path) { new_file(path, 0777); }

static void content_in_loop(const char *path, long seconds, bool until_expected) {
    bool last_failed = false;
    while (uptime() < (double)seconds) {
        char *content = content_of(path);
        last_failed = !content;
        if (!content) {
            printf("Error reading file %s: %s, retrying\n", path, go_error("open", path));
        } else {
            printf("content of file \"%s\": %s\n", path, content);
        }
        bool expected = content && !strcmp(content, NEW_CONTENT);
        free(content);
        if (until_expected && expected) {
            return;
        }
        if (until_expected && !last_failed) {
            printf("Unexpected content. Expected: %s. Retrying", NEW_CONTENT);
        }
        usleep(500000);
    }
    failed |= last_failed;
}

static const struct {
    const char *option;
    void (*run)(const char *path);
} CHECKS[] = {
    {"fs_type", fs_type},
    {"new_file_0644", new_file_0644},
    {"new_file_0666", new_file_0666},
    {"new_file_0660", new_file_0660},
    {"new_file_0777", new_file_0777},
    {"file_mode", file_mode},
    {"file_perm", file_perm},
    {"file_owner", file_owner},
    {"file_content", file_content},
};

int mounttest_main(int argc, char **argv) {
    umask(0);
    for (size_t i = 0; i < sizeof CHECKS / sizeof *CHECKS; i++) {
        const char *path = option(argc, argv, CHECKS[i].option);
        if (path) {
            CHECKS[i].run(path);
        }
    }
    const char *looped = option(argc, argv, "file_content_in_loop");
    if (looped) {
        bool until_expected = option_flag(argc, argv, "break_on_expected_content", true);
        content_in_loop(looped, option_number(argc, argv, "retry_time", 180), until_expected);
    }
    return failed;
}
