/* Between the gateway's own pages (reserved.c) and its API (api.c). */
#pragma once

#include "proxy/exchange.h"

/* How the client came, into a message that says it. */
#define SK_FILL_ORIGIN(m, x)                                                                                 \
    do {                                                                                                     \
        const struct sk_request *origin_request = &(x)->stream->request;                                     \
        const struct sk_slice *origin_agent =                                                                \
                sk_field_find(origin_request->fields, origin_request->fields_count, SK_LIT("user-agent"));   \
        memcpy((m)->tenant, (x)->site->tenant->id, SK_ID_SIZE);                                              \
        memcpy((m)->request, (x)->id, SK_ID_SIZE);                                                           \
        (m)->address = sk_slice((x)->conn->address.bytes, (x)->conn->address_bytes_len);                     \
        (m)->port = (x)->conn->address.port;                                                                 \
        (m)->host = origin_request->host;                                                                    \
        (m)->agent = origin_agent ? sk_slice_cut(*origin_agent, 256) : SK_SLICE_NULL;                        \
    } while (0)

/* The n-th value of a name in an application/x-www-form-urlencoded body or query, decoded; the null slice when absent. */
struct sk_slice sk_form_value(struct sk_arena *arena, struct sk_slice form, const char *name, unsigned nth);
/* Asks auth in the exchange's name, or answers 503. */
void sk_reserved_ask(struct sk_exchange *x, uint16_t code, void *message);
/* 200 with this body. */
void sk_reserved_json(struct sk_exchange *x, struct sk_slice json);
