/* Enough of HTTP/1.1 for tests: one request a connection, no request body. */
#ifndef HTTP_H
#define HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct request {
    int connection;
    char head[16384];
    char method[16];
    char path[2048];
    char query[4096];
};

/* False when no request came. */
bool http_read(int connection, struct request *request);
/* The value of a query's parameter, decoded; "" when it has none. */
void http_parameter(const struct request *request, const char *name, char *value, size_t size);
/* A header's value; "" when there is none. */
void http_header(const struct request *request, const char *name, char *value, size_t size);
/* `header` is a whole further header line with its end, or "". */
void http_answer(const struct request *request, int code, const char *header, const char *body);

#endif
