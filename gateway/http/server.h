/*
 * The protocol of one client connection, HTTP/1.1 or HTTP/2: bytes in, callbacks out, bytes to send. No sockets, no
 * TLS, no clock. Whoever answers a stream cannot tell the version.
 *
 * Beware: `refused` may follow `request` (a bad chunk, a bad trailer). `gone` may come from inside sk_stream_respond and
 * sk_stream_finish, and the HTTP/1.1 stream struct then serves the next request. sk_stream_abort on HTTP/2 gives `gone`
 * with the next output; no other callback comes in between. sk_server_output is never called from a callback.
 *
 * A stream is one request and its response. It is made here, announced by `request` or `refused`, and dies right
 * after `gone`, which comes exactly once: when both directions are over, when the client gives up, or when the
 * server is freed.
 */
#pragma once

#include "base/buf.h"
#include "sekisho/message.h"

struct sk_server;

struct sk_stream {
    struct sk_server *server;
    void *user;            /* the answerer's own, NULL at first */
    struct sk_arena arena; /* for the request and all that is made while it is served */
    struct sk_request request;
};

struct sk_server_handler {
    /* stream->request is complete and judged to be well formed. */
    void (*request)(struct sk_stream *stream);
    /* The message was refused. stream->request holds what was understood before. To be answered like a request. */
    void (*refused)(struct sk_stream *stream, enum sk_refusal refusal);
    /* Body bytes; to be followed, now or later, by sk_stream_consumed for as many. */
    void (*body)(struct sk_stream *stream, struct sk_slice bytes);
    /* The request is over. */
    void (*end)(struct sk_stream *stream, const struct sk_field *trailers, size_t count);
    /* Room to write again after sk_stream_room was 0. */
    void (*writable)(struct sk_stream *stream);
    /* The stream dies. `clean`: the response had been finished. */
    void (*gone)(struct sk_stream *stream, bool clean);
};

enum sk_protocol { SK_HTTP1, SK_HTTP2 };

/* Bytes of body that a client may be ahead of its consumer, and a response ahead of its client. */
#define SK_STREAM_WINDOW ((size_t)65536)
#define SK_STREAMS_MAX 128

/* `context` is for sk_server_context. NULL without memory. */
struct sk_server *sk_server_new(enum sk_protocol protocol, const struct sk_server_handler *handler, void *context);
/* Streams still open are gone first. */
struct sk_server *sk_server_free(struct sk_server *server);
void *sk_server_context(const struct sk_server *server);
enum sk_protocol sk_server_protocol(const struct sk_server *server);

/* Takes bytes from the client. 0; 1 when the connection must end once its output is sent; negative when now. */
int sk_server_feed(struct sk_server *server, struct sk_slice bytes) sk_nodiscard;
/* False while the client must wait: stop reading. */
bool sk_server_wants_input(const struct sk_server *server);
/* Bytes to be sent next; drop what was sent with sk_server_sent. */
struct sk_slice sk_server_output(struct sk_server *server);
void sk_server_sent(struct sk_server *server, size_t len);
/* Everything is said: end the connection once the output is sent. */
bool sk_server_done(const struct sk_server *server);
/* Streams open now. */
size_t sk_server_streams(const struct sk_server *server);
/* A message head has begun and is not complete: the header time-out counts. */
bool sk_server_in_head(const struct sk_server *server);
/* No new requests from now on; open ones are finished (GOAWAY; Connection: close). */
void sk_server_drain(struct sk_server *server);

/*
 * Answers. `response` is copied or written at once. A response with body SK_BODY_NONE is finished by this call;
 * others by sk_stream_finish. Status 100 may come before. 0 or negative: then the stream is to be aborted.
 */
int sk_stream_respond(struct sk_stream *stream, const struct sk_response *response) sk_nodiscard;
/* Bytes that sk_stream_write takes now. */
size_t sk_stream_room(const struct sk_stream *stream);
/* At most sk_stream_room bytes, or any number when nothing is queued. 0 or negative. */
int sk_stream_write(struct sk_stream *stream, struct sk_slice bytes) sk_nodiscard;
int sk_stream_finish(struct sk_stream *stream, const struct sk_field *trailers, size_t count) sk_nodiscard;
void sk_stream_consumed(struct sk_stream *stream, size_t len);
/* Ends the stream in a way the client can tell from a complete response. */
void sk_stream_abort(struct sk_stream *stream);
