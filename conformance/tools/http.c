/* http: a server that answers what it is asked to, and logs each request: method, target, host, user agent.
 *
 *   --port N           (8080)
 *   --fail-after N     /healthz fails N seconds after the start
 *   --fail-file PATH   /healthz fails while there is such a file
 *   --ready-after N    /healthz fails until N seconds after the start
 *
 *   /echo?msg=TEXT[&code=N]    /hostname    /clientip    /header?key=NAME    /headers    /healthz
 *   /redirect?loc=URL[&code=N]    /exit[?code=N]    /size?bytes=N
 *
 * `delay=MILLISECONDS` in a query holds the answer back.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"
#include "tools.h"

static long fail_after, ready_after;
static const char *fail_file;

static long number(const struct request *request, const char *name, long otherwise) {
    char value[32];
    http_parameter(request, name, value, sizeof value);
    return *value ? strtol(value, NULL, 10) : otherwise;
}

static void echo(const struct request *request) {
    char text[4096];
    http_parameter(request, "msg", text, sizeof text);
    http_answer(request, (int)number(request, "code", 200), "", text);
}

static void hostname(const struct request *request) {
    char name[256] = "";
    gethostname(name, sizeof name - 1);
    http_answer(request, 200, "", name);
}

static void client_ip(const struct request *request) {
    struct sockaddr_in6 peer;
    socklen_t size = sizeof peer;
    char text[INET6_ADDRSTRLEN] = "", answer[INET6_ADDRSTRLEN + 16];
    getpeername(request->connection, (struct sockaddr *)&peer, &size);
    if (peer.sin6_family == AF_INET) {
        inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)&peer)->sin_addr, text, sizeof text);
    } else {
        inet_ntop(AF_INET6, &peer.sin6_addr, text, sizeof text);
    }
    const char *plain = strncmp(text, "::ffff:", 7) ? text : text + 7;
    bool six = strchr(plain, ':') != NULL;
    snprintf(answer, sizeof answer, six ? "[%s]:%d" : "%s:%d", plain, ntohs(peer.sin6_port));
    http_answer(request, 200, "", answer);
}

static void header(const struct request *request) {
    char name[256], value[4096];
    http_parameter(request, "key", name, sizeof name);
    http_header(request, name, value, sizeof value);
    http_answer(request, 200, "", value);
}

static void headers(const struct request *request) { http_answer(request, 200, "", request->head); }

static void healthz(const struct request *request) {
    bool failing = (fail_after >= 0 && uptime() >= (double)fail_after) || uptime() < (double)ready_after ||
                   (fail_file && !access(fail_file, F_OK));
    http_answer(request, failing ? 500 : 200, "", failing ? "unhealthy" : "ok");
}

static void redirect(const struct request *request) {
    char target[4096], line[4200];
    http_parameter(request, "loc", target, sizeof target);
    snprintf(line, sizeof line, "Location: %s\r\n", target);
    http_answer(request, (int)number(request, "code", 302), line, "");
}

static void leave(const struct request *request) {
    http_answer(request, 200, "", "");
    _exit((int)number(request, "code", 0));
}

static void size(const struct request *request) {
    size_t length = (size_t)number(request, "bytes", 1024);
    char *body = malloc(length + 1);
    if (!body) {
        http_answer(request, 500, "", "no memory");
        return;
    }
    memset(body, 'x', length);
    body[length] = '\0';
    http_answer(request, 200, "", body);
    free(body);
}

static const struct {
    const char *path;
    void (*answer)(const struct request *request);
} PATHS[] = {
    {"/echo", echo},       {"/hostname", hostname}, {"/clientip", client_ip}, {"/header", header},
    {"/headers", headers}, {"/healthz", healthz},   {"/redirect", redirect},  {"/exit", leave},
    {"/size", size},
};

static void answer(const struct request *request) {
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++) {
        if (!strcmp(request->path, PATHS[i].path)) {
            PATHS[i].answer(request);
            return;
        }
    }
    http_answer(request, strcmp(request->path, "/") ? 404 : 200, "", request->path);
}

static void serve(int connection) {
    struct request request;
    char host[256], agent[256];
    if (!http_read(connection, &request)) {
        return;
    }
    http_header(&request, "host", host, sizeof host);
    http_header(&request, "user-agent", agent, sizeof agent);
    printf("%s %s%s%s host=%s agent=%s\n", request.method, request.path, *request.query ? "?" : "", request.query,
           host, agent);
    usleep((useconds_t)number(&request, "delay", 0) * 1000);
    answer(&request);
    shutdown(connection, SHUT_WR);
}

int http_main(int argc, char **argv) {
    fail_after = option_number(argc, argv, "fail-after", -1);
    ready_after = option_number(argc, argv, "ready-after", 0);
    fail_file = option(argc, argv, "fail-file");
    serve_connections(option_number(argc, argv, "port", 8080), serve);
    return 0;
}
