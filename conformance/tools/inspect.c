/* inspect: what the process is and may do, a JSON object a line, each with the key "what".
 *
 *   ids            uid, gid, euid, egid, groups
 *   capabilities   effective, permitted, inheritable, bounding, ambient: lists of names
 *   process        pid, no_new_privs, seccomp, apparmor, umask, hostname, cwd, oom_score_adj
 *   mount          one for each: target, root, options, propagation, type, source, super_options
 *   namespace      one for each: name, id
 *   cgroup         one for each line of /proc/self/cgroup: line
 *
 * Arguments choose among them; without any, all are printed.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools.h"

static const char *const CAPABILITIES[] = {
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
};
static const char *const NAMESPACES[] = {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"};

static void quoted(const char *text) {
    putchar('"');
    for (; *text; text++) {
        unsigned char each = (unsigned char)*text;
        if (each == '"' || each == '\\') {
            printf("\\%c", each);
        } else if (each < 0x20) {
            printf("\\u%04x", each);
        } else {
            putchar(each);
        }
    }
    putchar('"');
}

static void member(const char *name, const char *text) {
    printf(",\"%s\":", name);
    quoted(text);
}

/* The first line of a file, or of /proc/self/status the value of `key`; "" when there is none. */
static void read_line(const char *path, const char *key, char *value, size_t size) {
    FILE *file = fopen(path, "re");
    char line[1024];
    *value = '\0';
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        size_t length = strlen(key);
        if (!strncmp(line, key, length)) {
            const char *start = line + length;
            snprintf(value, size, "%s", start + strspn(start, " \t"));
            break;
        }
    }
    if (file) {
        fclose(file);
    }
}

static void ids(void) {
    gid_t groups[256];
    int count = getgroups(256, groups);
    printf("{\"what\":\"ids\",\"uid\":%u,\"gid\":%u,\"euid\":%u,\"egid\":%u,\"groups\":[", getuid(), getgid(),
           geteuid(), getegid());
    for (int i = 0; i < count; i++) {
        printf(i ? ",%u" : "%u", groups[i]);
    }
    puts("]}");
}

static void capability_names(const char *name, const char *key) {
    char value[64];
    const char *between = "";
    read_line("/proc/self/status", key, value, sizeof value);
    unsigned long long set = strtoull(value, NULL, 16);
    printf(",\"%s\":[", name);
    for (unsigned i = 0; i < sizeof CAPABILITIES / sizeof *CAPABILITIES; i++) {
        if (set >> i & 1) {
            printf("%s\"%s\"", between, CAPABILITIES[i]);
            between = ",";
        }
    }
    putchar(']');
}

static void capabilities(void) {
    fputs("{\"what\":\"capabilities\"", stdout);
    capability_names("effective", "CapEff:");
    capability_names("permitted", "CapPrm:");
    capability_names("inheritable", "CapInh:");
    capability_names("bounding", "CapBnd:");
    capability_names("ambient", "CapAmb:");
    puts("}");
}

static void status_number(const char *name, const char *path, const char *key) {
    char value[64];
    read_line(path, key, value, sizeof value);
    printf(",\"%s\":%ld", name, strtol(value, NULL, 10));
}

static void process(void) {
    char text[1024];
    mode_t mask = umask(0);
    umask(mask);
    printf("{\"what\":\"process\",\"pid\":%d,\"umask\":\"%04o\"", getpid(), (unsigned)mask);
    status_number("no_new_privs", "/proc/self/status", "NoNewPrivs:");
    status_number("seccomp", "/proc/self/status", "Seccomp:");
    status_number("oom_score_adj", "/proc/self/oom_score_adj", "");
    read_line("/proc/self/attr/current", "", text, sizeof text);
    member("apparmor", text);
    gethostname(text, sizeof text);
    member("hostname", text);
    member("cwd", getcwd(text, sizeof text) ? text : "");
    puts("}");
}

/* mountinfo writes blanks and backslashes as octal numbers. */
static char *unescaped(char *field) {
    char *to = field;
    for (const char *from = field; *from; to++) {
        if (*from == '\\' && isdigit((unsigned char)from[1]) && strlen(from) >= 4) {
            *to = (char)strtol((char[]){from[1], from[2], from[3], '\0'}, NULL, 8);
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
    return field;
}

static void mount_line(char *line) {
    char *fields[32], *rest = line, propagation[256] = "";
    int count = 0, dash = 6;
    for (char *field; count < 32 && (field = strsep(&rest, " \n"));) {
        fields[count++] = field;
    }
    for (; dash < count && strcmp(fields[dash], "-"); dash++) {
        size_t used = strlen(propagation);
        snprintf(propagation + used, sizeof propagation - used, used ? " %s" : "%s", fields[dash]);
    }
    if (dash + 3 >= count) {
        return;
    }
    fputs("{\"what\":\"mount\"", stdout);
    member("root", unescaped(fields[3]));
    member("target", unescaped(fields[4]));
    member("options", fields[5]);
    member("propagation", propagation);
    member("type", fields[dash + 1]);
    member("source", unescaped(fields[dash + 2]));
    member("super_options", unescaped(fields[dash + 3]));
    puts("}");
}

static void each_line(const char *path, void (*show)(char *line)) {
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    while (file && getline(&line, &size, file) > 0) {
        show(line);
    }
    free(line);
    if (file) {
        fclose(file);
    }
}

static void mounts(void) { each_line("/proc/self/mountinfo", mount_line); }

static void namespaces(void) {
    for (size_t i = 0; i < sizeof NAMESPACES / sizeof *NAMESPACES; i++) {
        char path[64], target[128];
        snprintf(path, sizeof path, "/proc/self/ns/%s", NAMESPACES[i]);
        ssize_t length = readlink(path, target, sizeof target - 1);
        if (length > 0) {
            target[length] = '\0';
            fputs("{\"what\":\"namespace\"", stdout);
            member("name", NAMESPACES[i]);
            member("id", target);
            puts("}");
        }
    }
}

static void cgroup_line(char *line) {
    line[strcspn(line, "\n")] = '\0';
    fputs("{\"what\":\"cgroup\"", stdout);
    member("line", line);
    puts("}");
}

static void cgroups(void) { each_line("/proc/self/cgroup", cgroup_line); }

static const struct {
    const char *name;
    void (*show)(void);
} ASPECTS[] = {
    {"ids", ids},   {"capabilities", capabilities}, {"process", process},
    {"mount", mounts}, {"namespace", namespaces},   {"cgroup", cgroups},
};

int inspect_main(int argc, char **argv) {
    for (size_t i = 0; i < sizeof ASPECTS / sizeof *ASPECTS; i++) {
        bool wanted = argc < 2;
        for (int j = 1; j < argc; j++) {
            wanted |= !strcmp(argv[j], ASPECTS[i].name);
        }
        if (wanted) {
            ASPECTS[i].show();
        }
    }
    return 0;
}
