/*
 * Message heads of HTTP/1: from complete bytes to the neutral form, and from the neutral form to bytes. llhttp takes
 * the grammar apart; what it lets pass and two servers could read differently is refused here (message.h).
 */
#pragma once

#include "base/buf.h"
#include "sekisho/message.h"

/*
 * Looks for the end of a head in bytes that grow. `scanned` starts at 0 and is kept between calls. Length of the
 * head with its empty line; 0: not complete yet; negative: -refusal.
 */
long sk_head_find(struct sk_slice bytes, size_t *scanned);

/* `head` is complete (sk_head_find) and must live as long as `request`; names in it are made lower case in place. */
enum sk_refusal sk_head_request(char *head, size_t len, struct sk_arena *arena, struct sk_request *request) sk_nodiscard;
/* `to_head`: the response answers a HEAD request. `websocket`: the request asked for an upgrade. */
enum sk_refusal sk_head_response(
        char *head, size_t len, bool to_head, bool websocket, struct sk_arena *arena, struct sk_response *response) sk_nodiscard;

/* Trailer fields behind the last chunk, "name: value" lines with the empty line. */
enum sk_refusal sk_head_trailers(
        char *bytes, size_t len, struct sk_arena *arena, struct sk_field **fields, size_t *count) sk_nodiscard;

/*
 * What both versions share once their own syntax is read: method, target, authority, field names and values, body
 * length, expectations, upgrades. `fields` are all fields as received, names lower case. Fills all of `request`
 * but `version`, `body` for HTTP/1 framing and `keep_alive`.
 */
struct sk_head_parts {
    struct sk_slice method, target, authority; /* authority: null when only a Host field may say it */
    struct sk_field *fields;
    size_t fields_count;
    uint8_t version;
    bool protocol_websocket; /* RFC 8441 */
};
enum sk_refusal sk_head_finish(const struct sk_head_parts *parts, struct sk_arena *arena, struct sk_request *request) sk_nodiscard;

/* Writes. 0 or negative. Status lines carry no reason text of the upstream's. */
int sk_head_put_request(struct sk_buf *out, const struct sk_request *request) sk_nodiscard;
int sk_head_put_response(struct sk_buf *out, const struct sk_response *response, bool keep_alive) sk_nodiscard;
