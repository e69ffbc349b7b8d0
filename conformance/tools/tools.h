/* The tools of the test image: one program, a tool by the name that it is called with. */
#ifndef TOOLS_H
#define TOOLS_H

#include <stdbool.h>
#include <stddef.h>

/* Each is a tool's main function; argv[0] is the tool's name. */
int eat_main(int argc, char **argv);
int grpc_health_main(int argc, char **argv);
int http_main(int argc, char **argv);
int inspect_main(int argc, char **argv);
int mounttest_main(int argc, char **argv);
int signals_main(int argc, char **argv);
int tcp_main(int argc, char **argv);
int udp_main(int argc, char **argv);

/* Of `--name=value` or `--name value`: the value; NULL when there is no such option. */
const char *option(int argc, char **argv, const char *name);
long option_number(int argc, char **argv, const char *name, long otherwise);
/* Of `--name`, `--name=true` or `--name=false`. */
bool option_flag(int argc, char **argv, const char *name, bool otherwise);

/* A socket bound to a port on all addresses, IPv6 and IPv4; ends the program when that fails. */
int bound(int kind, long port);
/* Calls `serve` in a thread of its own for every connection to the port, which it closes after that. */
void serve_connections(long port, void (*serve)(int connection));
/* The same, in the background. */
void serve_connections_beside(long port, void (*serve)(int connection));
bool write_all(int file, const void *data, size_t length);
bool read_all(int file, void *data, size_t length);

/* Seconds since the program began. */
double uptime(void);
/* Ends the program with a message about errno. */
void die(const char *what) __attribute__((noreturn));

#endif
