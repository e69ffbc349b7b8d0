/* Reads requests and writes answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "http.h"
#include "tools.h"

bool http_read(int connection, struct request *request) {
    size_t length = 0;
    memset(request, 0, sizeof *request);
    request->connection = connection;
    while (!strstr(request->head, "\r\n\r\n")) {
        ssize_t got = read(connection, request->head + length, sizeof request->head - 1 - length);
        if (got <= 0) {
            return false;
        }
        length += (size_t)got;
    }
    char target[6200] = "";
    if (sscanf(request->head, "%15s %6199s", request->method, target) != 2) {
        return false;
    }
    char *question = strchr(target, '?');
    if (question) {
        *question = '\0';
        snprintf(request->query, sizeof request->query, "%.4095s", question + 1);
    }
    snprintf(request->path, sizeof request->path, "%.2047s", target);
    return true;
}

static void decode(const char *from, size_t length, char *to, size_t size) {
    const char *end = from + length;
    for (; from < end && size > 1; size--) {
        if (*from == '%' && end - from >= 3) {
            *to++ = (char)strtol((char[]){from[1], from[2], '\0'}, NULL, 16);
            from += 3;
        } else {
            *to++ = *from == '+' ? ' ' : *from;
            from++;
        }
    }
    *to = '\0';
}

void http_parameter(const struct request *request, const char *name, char *value, size_t size) {
    size_t wanted = strlen(name);
    *value = '\0';
    for (const char *pair = request->query; pair; pair = strchr(pair, '&')) {
        pair += *pair == '&';
        if (!strncmp(pair, name, wanted) && pair[wanted] == '=') {
            const char *start = pair + wanted + 1;
            decode(start, strcspn(start, "&"), value, size);
            return;
        }
    }
}

void http_header(const struct request *request, const char *name, char *value, size_t size) {
    size_t wanted = strlen(name);
    *value = '\0';
    for (const char *line = strstr(request->head, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (!strncasecmp(line, name, wanted) && line[wanted] == ':') {
            line += wanted + 1;
            line += strspn(line, " ");
            snprintf(value, size, "%.*s", (int)strcspn(line, "\r"), line);
            return;
        }
    }
}

void http_answer(const struct request *request, int code, const char *header, const char *body) {
    char head[8192];
    int length = snprintf(head, sizeof head,
                          "HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
                          "Connection: close\r\n%.6000s\r\n",
                          code, code < 400 ? "OK" : "Failed", strlen(body), header);
    if (write_all(request->connection, head, (size_t)length) && strcmp(request->method, "HEAD")) {
        write_all(request->connection, body, strlen(body));
    }
}
