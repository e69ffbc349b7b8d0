/* grpc-health: a server of grpc.health.v1.Health/Check, and nothing else, over HTTP/2 without TLS.
 *
 *   --port N                  (5000)
 *   --http-port N             (8080) /make-serving and /make-not-serving switch the service "", /status shows it
 *   --delay-unhealthy-sec N   it switches itself after so many seconds
 *   --service NAME            one more name for the service ""
 *
 * The services SERVING and NOT_SERVING are what they are called; all others are NOT_FOUND.
 */
#include <stdio.h>
#include <string.h>

#include "http.h"
#include "tools.h"

enum frame_type { DATA = 0, HEADERS = 1, SETTINGS = 4, PING = 6, GOAWAY = 7, WINDOW_UPDATE = 8 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };
enum { SERVING = 1, NOT_SERVING = 2 };
enum { LARGEST = 16384, STREAMS = 64 };

struct frame {
    size_t length;
    unsigned type, flags, stream;
    unsigned char payload[LARGEST];
};

/* The message of a stream, as far as it has come. */
struct stream {
    unsigned id;
    size_t length;
    unsigned char message[512];
};

static volatile bool serving = true;
static long unhealthy_after;
static const char *other_name;

static bool write_frame(int connection, enum frame_type type, unsigned flags, unsigned stream, const void *payload,
                        size_t length) {
    unsigned char frame[9 + 512] = {
        (unsigned char)(length >> 16), (unsigned char)(length >> 8), (unsigned char)length,
        (unsigned char)type,           (unsigned char)flags,         (unsigned char)(stream >> 24),
        (unsigned char)(stream >> 16), (unsigned char)(stream >> 8), (unsigned char)stream,
    };
    if (length > 512) {
        return false;
    }
    if (length) {
        memcpy(frame + 9, payload, length);
    }
    return write_all(connection, frame, 9 + length);
}

static bool read_frame(int connection, struct frame *frame) {
    unsigned char head[9];
    if (!read_all(connection, head, sizeof head)) {
        return false;
    }
    frame->length = (size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2];
    frame->type = head[3];
    frame->flags = head[4];
    frame->stream = (unsigned)(head[5] & 0x7f) << 24 | (unsigned)head[6] << 16 | (unsigned)head[7] << 8 | head[8];
    return frame->length <= LARGEST && read_all(connection, frame->payload, frame->length);
}

/* A header that is not indexed: name and value are shorter than 127 bytes. */
static size_t put_header(unsigned char *block, const char *name, const char *value) {
    size_t names = strlen(name), values = strlen(value);
    block[0] = 0;
    block[1] = (unsigned char)names;
    memcpy(block + 2, name, names);
    block[2 + names] = (unsigned char)values;
    memcpy(block + 3 + names, value, values);
    return 3 + names + values;
}

/* ":status: 200" is the eighth entry of HPACK's static table. */
static size_t put_first_headers(unsigned char *block) {
    block[0] = 0x88;
    return 1 + put_header(block + 1, "content-type", "application/grpc");
}

static bool answer_status(int connection, unsigned stream, int status) {
    unsigned char block[64];
    size_t length = put_first_headers(block);
    bool sent = write_frame(connection, HEADERS, END_HEADERS, stream, block, length);
    const unsigned char message[] = {0, 0, 0, 0, 2, 0x08, (unsigned char)status};
    sent = sent && write_frame(connection, DATA, 0, stream, message, sizeof message);
    length = put_header(block, "grpc-status", "0");
    return sent && write_frame(connection, HEADERS, END_HEADERS | END_STREAM, stream, block, length);
}

static bool answer_unknown(int connection, unsigned stream) {
    unsigned char block[128];
    size_t length = put_first_headers(block);
    length += put_header(block + length, "grpc-status", "5");
    length += put_header(block + length, "grpc-message", "unknown service");
    return write_frame(connection, HEADERS, END_HEADERS | END_STREAM, stream, block, length);
}

static int own_status(void) {
    bool timed_out = unhealthy_after >= 0 && uptime() >= (double)unhealthy_after;
    return serving && !timed_out ? SERVING : NOT_SERVING;
}

/* The status of the service that a message asks for; 0 when it is unknown. */
static int status_of(const struct stream *stream) {
    char service[256] = "";
    const unsigned char *message = stream->message + 5;
    if (stream->length >= 7 && message[0] == 0x0a && message[1] < 128 && stream->length >= 7u + message[1]) {
        snprintf(service, sizeof service, "%.*s", message[1], (const char *)message + 2);
    }
    if (!*service || (other_name && !strcmp(service, other_name))) {
        return own_status();
    }
    if (!strcmp(service, "SERVING")) {
        return SERVING;
    }
    return strcmp(service, "NOT_SERVING") ? 0 : NOT_SERVING;
}

static bool answer(int connection, const struct stream *stream) {
    int status = status_of(stream);
    printf("check of stream %u: %d\n", stream->id, status);
    return status ? answer_status(connection, stream->id, status) : answer_unknown(connection, stream->id);
}

static void collect(const struct frame *frame, struct stream *stream) {
    size_t padding = frame->flags & PADDED ? frame->payload[0] + 1u : 0;
    size_t length = frame->length > padding ? frame->length - padding : 0;
    size_t room = sizeof stream->message - stream->length;
    length = length < room ? length : room;
    memcpy(stream->message + stream->length, frame->payload + (padding ? 1 : 0), length);
    stream->length += length;
}

static bool on_data(int connection, const struct frame *frame, struct stream *streams) {
    struct stream *stream = &streams[frame->stream / 2 % STREAMS];
    if (stream->id != frame->stream) {
        *stream = (struct stream){.id = frame->stream};
    }
    collect(frame, stream);
    if (frame->length) {
        const unsigned char back[] = {0, 0, (unsigned char)(frame->length >> 8), (unsigned char)frame->length};
        write_frame(connection, WINDOW_UPDATE, 0, 0, back, sizeof back);
    }
    return !(frame->flags & END_STREAM) || answer(connection, stream);
}

static bool handle(int connection, const struct frame *frame, struct stream *streams) {
    switch (frame->type) {
    case SETTINGS:
        return frame->flags & ACK || write_frame(connection, SETTINGS, ACK, 0, NULL, 0);
    case PING:
        return frame->flags & ACK || write_frame(connection, PING, ACK, 0, frame->payload, frame->length);
    case DATA:
        return on_data(connection, frame, streams);
    case GOAWAY:
        return false;
    default:
        return true;
    }
}

static void serve(int connection) {
    char preface[24];
    struct frame frame;
    struct stream streams[STREAMS] = {{0}};
    bool going = read_all(connection, preface, sizeof preface) &&
                 !memcmp(preface, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", sizeof preface) &&
                 write_frame(connection, SETTINGS, 0, 0, NULL, 0);
    while (going && read_frame(connection, &frame)) {
        going = handle(connection, &frame, streams);
    }
}

static void serve_switch(int connection) {
    struct request request;
    if (!http_read(connection, &request)) {
        return;
    }
    if (!strcmp(request.path, "/make-serving")) {
        serving = true;
    } else if (!strcmp(request.path, "/make-not-serving")) {
        serving = false;
    }
    http_answer(&request, 200, "", own_status() == SERVING ? "SERVING" : "NOT_SERVING");
}

int grpc_health_main(int argc, char **argv) {
    unhealthy_after = option_number(argc, argv, "delay-unhealthy-sec", -1);
    other_name = option(argc, argv, "service");
    serve_connections_beside(option_number(argc, argv, "http-port", 8080), serve_switch);
    serve_connections(option_number(argc, argv, "port", 5000), serve);
    return 0;
}
