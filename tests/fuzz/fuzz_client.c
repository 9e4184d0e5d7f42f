/* An upstream that says anything, cut anywhere; the first byte of the input chooses the request and the cuts.
 */
#include "http/client.h"

#include <stdlib.h>

static size_t seen;

static void on_response(struct sk_client *client, const struct sk_response *response)
{
    seen += response->fields_count;
    if (client->user && response->status == 299) {
        sk_client_free(client);
    }
}

static void on_body(struct sk_client *client, struct sk_slice bytes)
{
    seen += (size_t)(uint8_t)bytes.data[bytes.len - 1];
    if (client->user && bytes.data[0] == '!') {
        sk_client_free(client);
    }
}

static void on_end(struct sk_client *client, const struct sk_field *trailers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        seen += trailers[i].value.len ? (size_t)(uint8_t)trailers[i].value.data[trailers[i].value.len - 1]
                                      : 0;
    }
    if (client->user && client->reusable) {
        sk_client_expect(client, client->arena, false, false);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sk_client_handler handler = {on_response, on_body, on_end};
    struct sk_arena arena;
    struct sk_client client;
    uint8_t mode = size ? data[0] : 0;
    size_t step = mode >> 4 ? (size_t)(mode >> 4) : size;
    int r = 0;
    sk_arena_init(&arena, (size_t)192 << 10);
    sk_client_init(&client, &handler, mode & 4 ? &arena : NULL);
    sk_client_expect(&client, &arena, mode & 1, mode & 2);
    for (size_t at = 1; at < size && r == 0; at += step) {
        r = sk_client_feed(&client, sk_slice(data + at, size - at < step ? size - at : step));
    }
    if (r == 0 && sk_client_eof(&client) == 0 && client.phase != SK_CLIENT_IDLE &&
            client.phase != SK_CLIENT_DEAD && !(mode & 4)) {
        abort();
    }
    sk_client_free(&client);
    sk_arena_free(&arena);
    return 0;
}
