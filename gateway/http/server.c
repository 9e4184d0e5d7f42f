/* The door to both protocols. Pure; runs in the workers. */
#include "http/server_impl.h"

struct sk_server *sk_server_new(enum sk_protocol protocol, const struct sk_server_handler *handler, void *context)
{
    struct sk_server *server = protocol == SK_HTTP2 ? sk_h2_server_new() : sk_h1_server_new();
    if (server) {
        server->handler = handler;
        server->context = context;
        server->protocol = protocol;
        server->out = SK_BUF_INIT(SK_PAGE_MAX + SK_SERVER_OUTPUT);
    }
    return server;
}

struct sk_server *sk_server_free(struct sk_server *server)
{
    if (server) {
        struct sk_buf out = server->out;
        server->ops->free(server);
        sk_buf_free(&out);
    }
    return NULL;
}

void *sk_server_context(const struct sk_server *server)
{
    return server->context;
}

enum sk_protocol sk_server_protocol(const struct sk_server *server)
{
    return server->protocol;
}

int sk_server_feed(struct sk_server *server, struct sk_slice bytes)
{
    return server->ops->feed(server, bytes);
}

bool sk_server_wants_input(const struct sk_server *server)
{
    return server->ops->wants_input(server);
}

struct sk_slice sk_server_output(struct sk_server *server)
{
    server->ops->fill(server);
    return sk_buf_peek(&server->out);
}

void sk_server_sent(struct sk_server *server, size_t len)
{
    sk_buf_take(&server->out, len);
    server->ops->sent(server);
}

bool sk_server_done(const struct sk_server *server)
{
    return server->ops->done(server);
}

size_t sk_server_streams(const struct sk_server *server)
{
    return server->streams;
}

bool sk_server_in_head(const struct sk_server *server)
{
    return server->ops->in_head(server);
}

void sk_server_drain(struct sk_server *server)
{
    server->ops->drain(server);
}

int sk_stream_respond(struct sk_stream *stream, const struct sk_response *response)
{
    return stream->server->ops->respond(stream, response);
}

size_t sk_stream_room(const struct sk_stream *stream)
{
    return stream->server->ops->room(stream);
}

int sk_stream_write(struct sk_stream *stream, struct sk_slice bytes)
{
    return stream->server->ops->write(stream, bytes);
}

int sk_stream_finish(struct sk_stream *stream, const struct sk_field *trailers, size_t count)
{
    return stream->server->ops->finish(stream, trailers, count);
}

void sk_stream_consumed(struct sk_stream *stream, size_t len)
{
    stream->server->ops->consumed(stream, len);
}

void sk_stream_abort(struct sk_stream *stream)
{
    stream->server->ops->abort(stream);
}
