/*
 * HTTP/1.1 towards an upstream, for one connection: parses responses from bytes. No sockets, no clock. Interim
 * responses (1xx) are swallowed; a protocol switch that was not asked for is refused.
 */
#pragma once

#include "base/buf.h"
#include "http/chunked.h"
#include "sekisho/message.h"

struct sk_client;

struct sk_client_handler {
    /* The final head (or 101). Lives in the arena given to sk_client_expect. */
    void (*response)(struct sk_client *client, const struct sk_response *response);
    void (*body)(struct sk_client *client, struct sk_slice bytes);
    void (*end)(struct sk_client *client, const struct sk_field *trailers, size_t count);
};

enum sk_client_phase { SK_CLIENT_IDLE, SK_CLIENT_HEAD, SK_CLIENT_LENGTH, SK_CLIENT_CHUNKED, SK_CLIENT_CLOSE, SK_CLIENT_TUNNEL, SK_CLIENT_DEAD };

struct sk_client {
    const struct sk_client_handler *handler;
    void *user;
    struct sk_arena *arena;
    struct sk_buf in;
    enum sk_client_phase phase;
    size_t scanned;
    struct sk_chunked chunked;
    uint64_t left;
    bool to_head, websocket;
    bool reusable; /* after `end`: the connection may carry another request */
    unsigned interim;
};

void sk_client_init(struct sk_client *client, const struct sk_client_handler *handler, void *user);
void sk_client_free(struct sk_client *client);
/* The response to a request just sent will come next. */
void sk_client_expect(struct sk_client *client, struct sk_arena *arena, bool to_head, bool websocket);
/* Takes bytes of the upstream. 0; 1 when the client was freed by a callback; negative: -EPROTO, the connection is useless. */
int sk_client_feed(struct sk_client *client, struct sk_slice bytes) sk_nodiscard;
/* The upstream closed. 0 when the response is complete by that, else -EPROTO. */
int sk_client_eof(struct sk_client *client) sk_nodiscard;
