/* HTTP/1.1 towards an upstream. Pure; runs in the workers. */
#include "http/client.h"

#include "http/head.h"

#include <errno.h>

#define INTERIM_MAX 8

void sk_client_init(struct sk_client *client, const struct sk_client_handler *handler, void *user)
{
    *client = (struct sk_client){.handler = handler, .user = user, .in = SK_BUF_INIT(SK_HEAD_MAX + 4 + ((size_t)128 << 10))};
}

void sk_client_free(struct sk_client *client)
{
    sk_buf_free(&client->in);
    client->phase = SK_CLIENT_DEAD;
}

void sk_client_expect(struct sk_client *client, struct sk_arena *arena, bool to_head, bool websocket)
{
    client->arena = arena;
    client->phase = SK_CLIENT_HEAD;
    client->scanned = 0;
    client->to_head = to_head;
    client->websocket = websocket;
    client->reusable = false;
    client->interim = 0;
}

/* `surplus`: bytes nobody asked for came behind the response; whoever reused the connection would get them as his. */
static void over(struct sk_client *client, const struct sk_field *trailers, size_t count, bool surplus)
{
    client->phase = SK_CLIENT_IDLE;
    client->reusable = client->reusable && !surplus;
    client->handler->end(client, trailers, count);
}

static void begin_body(struct sk_client *client, const struct sk_response *response, bool surplus)
{
    /* Some servers send a body with HEAD; whoever reused the connection would read it as the next response. */
    client->reusable = response->keep_alive && !client->to_head;
    client->left = response->content_length;
    client->chunked = SK_CHUNKED_RESPONSE;
    bool nothing = response->body == SK_BODY_NONE || (response->body == SK_BODY_LENGTH && client->left == 0);
    if (response->upgraded) {
        client->phase = SK_CLIENT_TUNNEL;
    } else if (nothing) {
        client->phase = SK_CLIENT_IDLE;
    } else {
        client->phase = response->body == SK_BODY_LENGTH   ? SK_CLIENT_LENGTH
                        : response->body == SK_BODY_STREAM ? SK_CLIENT_CHUNKED
                                                           : SK_CLIENT_CLOSE;
    }
    bool ends = client->phase == SK_CLIENT_IDLE;
    client->handler->response(client, response);
    if (ends && client->phase == SK_CLIENT_IDLE) {
        over(client, NULL, 0, surplus);
    }
}

/* Bytes used, 0 for more, negative for a response that cannot be trusted. */
static long feed_head(struct sk_client *client, struct sk_slice bytes)
{
    struct sk_response response;
    long len = sk_head_find(bytes, &client->scanned);
    if (len <= 0) {
        return len < 0 ? -EPROTO : 0;
    }
    client->scanned = 0;
    struct sk_slice head = sk_arena_copy(client->arena, sk_slice_cut(bytes, (size_t)len));
    enum sk_refusal refusal = head.data ? sk_head_response((char *)(uintptr_t)head.data, head.len, client->to_head,
                                                  client->websocket, client->arena, &response)
                                        : SK_REFUSAL_TOO_BIG_FOR_ARENA;
    if (refusal) {
        return -EPROTO;
    }
    if (response.status < 200 && !response.upgraded) {
        return ++client->interim > INTERIM_MAX ? -EPROTO : len;
    }
    begin_body(client, &response, (size_t)len < bytes.len);
    return len;
}

static long feed_length(struct sk_client *client, struct sk_slice bytes)
{
    struct sk_slice body = sk_slice_cut(bytes, client->left < bytes.len ? (size_t)client->left : bytes.len);
    client->left -= body.len;
    client->handler->body(client, body);
    if (client->phase == SK_CLIENT_LENGTH && client->left == 0) {
        over(client, NULL, 0, body.len < bytes.len);
    }
    return (long)body.len;
}

static long feed_chunked(struct sk_client *client, struct sk_slice bytes)
{
    struct sk_slice data;
    struct sk_field *trailers = NULL;
    size_t used, count = 0;
    switch (sk_chunked_next(&client->chunked, bytes, &data, &used)) {
    case SK_CHUNKED_DATA:
        client->handler->body(client, data);
        break;
    case SK_CHUNKED_TRAILERS: {
        struct sk_slice copy = sk_arena_copy(client->arena, data);
        if (!copy.data || sk_head_trailers((char *)(uintptr_t)copy.data, copy.len, client->arena, &trailers, &count)) {
            return -EPROTO;
        }
        over(client, trailers, count, used < bytes.len);
        break;
    }
    case SK_CHUNKED_BAD:
        return -EPROTO;
    case SK_CHUNKED_MORE:
        break;
    }
    return (long)used;
}

static long feed_some(struct sk_client *client, struct sk_slice bytes)
{
    switch (client->phase) {
    case SK_CLIENT_HEAD:
        return feed_head(client, bytes);
    case SK_CLIENT_LENGTH:
        return feed_length(client, bytes);
    case SK_CLIENT_CHUNKED:
        return feed_chunked(client, bytes);
    case SK_CLIENT_CLOSE:
    case SK_CLIENT_TUNNEL:
        client->handler->body(client, bytes);
        return (long)bytes.len;
    case SK_CLIENT_IDLE: /* bytes nobody asked for: the next response could not be told from them */
        return -EPROTO;
    case SK_CLIENT_DEAD:
        break;
    }
    return -EPROTO;
}

int sk_client_feed(struct sk_client *client, struct sk_slice bytes)
{
    bool kept = sk_buf_len(&client->in) > 0;
    struct sk_slice rest = bytes;
    if (kept) {
        if (sk_buf_put(&client->in, bytes)) {
            return -EPROTO;
        }
        rest = sk_buf_peek(&client->in);
    }
    size_t before = rest.len;
    while (rest.len) {
        long used = feed_some(client, rest);
        if (client->phase == SK_CLIENT_DEAD) {
            return 1;
        }
        if (used < 0) {
            return -EPROTO;
        }
        if (used == 0) {
            break;
        }
        rest = sk_slice_from(rest, (size_t)used);
    }
    if (kept) {
        sk_buf_take(&client->in, before - rest.len);
    } else if (sk_buf_put(&client->in, rest)) {
        return -EPROTO;
    }
    return 0;
}

int sk_client_eof(struct sk_client *client)
{
    client->reusable = false;
    if (client->phase == SK_CLIENT_CLOSE || client->phase == SK_CLIENT_TUNNEL) {
        over(client, NULL, 0, false);
        return 0;
    }
    return client->phase == SK_CLIENT_IDLE ? 0 : -EPROTO;
}
