/* What the two protocols share behind server.h. */
#pragma once

#include "http/server.h"

#define SK_STREAM_ARENA ((size_t)192 << 10)
#define SK_SERVER_OUTPUT ((size_t)256 << 10)
/* Most bytes of one write when nothing is queued, and of one feed. */
#define SK_PAGE_MAX ((size_t)16 << 20)
#define SK_FEED_MAX ((size_t)128 << 10)

struct sk_server_ops {
    void (*free)(struct sk_server *server);
    int (*feed)(struct sk_server *server, struct sk_slice bytes);
    bool (*wants_input)(const struct sk_server *server);
    /* Fills the output queue from what streams have, up to its size. */
    void (*fill)(struct sk_server *server);
    /* Called after bytes left the output queue. */
    void (*sent)(struct sk_server *server);
    bool (*done)(const struct sk_server *server);
    bool (*in_head)(const struct sk_server *server);
    void (*drain)(struct sk_server *server);
    int (*respond)(struct sk_stream *stream, const struct sk_response *response);
    size_t (*room)(const struct sk_stream *stream);
    int (*write)(struct sk_stream *stream, struct sk_slice bytes);
    int (*finish)(struct sk_stream *stream, const struct sk_field *trailers, size_t count);
    void (*consumed)(struct sk_stream *stream, size_t len);
    void (*abort)(struct sk_stream *stream);
};

struct sk_server {
    const struct sk_server_ops *ops;
    const struct sk_server_handler *handler;
    void *context;
    enum sk_protocol protocol;
    struct sk_buf out;
    size_t streams;
};

struct sk_server *sk_h1_server_new(void);
struct sk_server *sk_h2_server_new(void);
