/*
 * An answerer for the server tests: writes down what the protocol calls back, one line for each event, and
 * answers as it is told. Body bytes of one stream that follow each other are one event, so that the log does
 * not depend on how the input was cut.
 */
#pragma once

#include "http/server.h"

enum answer {
    ANSWER_NEVER,      /* the test answers */
    ANSWER_AT_REQUEST, /* at once, before the request's body */
    ANSWER_AT_END,     /* when the request is complete; a WebSocket is opened at once and echoes */
};

struct recorder {
    struct sk_server *server;
    enum answer answer;
    bool hold; /* does not give the body's bytes back */
    struct sk_buf log;
    struct sk_stream *body; /* whose body the last line of the log is */
    struct sk_stream *last; /* announced last; NULL when it is gone */
    unsigned requests, refused, ends, gone, writable;
    size_t body_bytes;
    enum sk_refusal refusal;
};

/* A recorder with its server; one at a time in a test. */
void recorder_open(struct recorder *r, enum sk_protocol protocol, enum answer answer);
void recorder_close(struct recorder *r);
/* The log from its start. */
struct sk_slice recorder_log(const struct recorder *r);
void recorder_forget(struct recorder *r);

/* Answers with a short body "ok", or with no body for a refusal. */
void answer_ok(struct sk_stream *stream);
void answer_status(struct sk_stream *stream, uint16_t status);

/* All that the server has to send, taken from it into `out`. */
void take_output(struct sk_server *server, struct sk_buf *out);
