/*
 * One HTTP message in a form that no version shows through: what HTTP/1.1 and HTTP/2 are read into, what is judged,
 * and what the upstream's message is written from. All slices live in the request's arena.
 */
#pragma once

#include "sekisho/arena.h"

/* Limits of one message head, whatever its version. */
#define SK_HEAD_MAX ((size_t)32768)
#define SK_FIELDS_MAX 100
#define SK_TARGET_MAX ((size_t)8192)

struct sk_field {
    struct sk_slice name;  /* lower case */
    struct sk_slice value; /* trimmed; visible ASCII, space, tab and bytes from 0x80 on */
};

enum sk_body {
    SK_BODY_NONE = 0,
    SK_BODY_LENGTH, /* content_length says how long */
    SK_BODY_STREAM, /* until its end is said: chunked, HTTP/2 without a length */
    SK_BODY_CLOSE,  /* a response of HTTP/1 that ends with its connection */
};

struct sk_request {
    struct sk_slice method;
    struct sk_slice host;      /* lower case, no port */
    struct sk_slice authority; /* as the client wrote it, lower case, port included */
    struct sk_slice path;      /* normal form: what is judged and what is sent */
    struct sk_slice query;     /* with its '?', or null */
    struct sk_field *fields;   /* host, content-length, transfer-encoding and hop-by-hop fields are not among them */
    size_t fields_count;
    enum sk_body body;
    uint64_t content_length;
    uint8_t version;              /* 10, 11, 20 */
    bool expect_continue;         /* Expect: 100-continue, for a request with a body */
    bool websocket;               /* a well-formed opening handshake of RFC 6455 or RFC 8441 */
    struct sk_slice websocket_key; /* RFC 6455 only */
    bool keep_alive;
};

struct sk_response {
    uint16_t status;
    struct sk_field *fields; /* no framing and no hop-by-hop fields */
    size_t fields_count;
    enum sk_body body;
    uint64_t content_length;
    bool keep_alive;
    bool upgraded; /* 101 to our own WebSocket request */
};

/* X(name, status, text): why a message is refused; text is the stable reason code. */
#define SK_REFUSALS(X)                                                                                       \
    X(NONE, 0, "")                                                                                           \
    X(MALFORMED, 400, "malformed-message")                                                                   \
    X(BARE_LF, 400, "bare-line-feed")                                                                        \
    X(OBS_FOLD, 400, "folded-header")                                                                        \
    X(CONTROL_BYTE, 400, "control-byte")                                                                     \
    X(HEAD_TOO_LARGE, 431, "head-too-large")                                                                 \
    X(TOO_MANY_FIELDS, 431, "too-many-headers")                                                              \
    X(TARGET_TOO_LONG, 414, "target-too-long")                                                               \
    X(TARGET_BAD, 400, "bad-target")                                                                         \
    X(PATH_ENCODING, 400, "bad-percent-encoding")                                                            \
    X(PATH_SLASH, 400, "encoded-slash")                                                                      \
    X(PATH_DOTS, 400, "dot-segment")                                                                         \
    X(PATH_EMPTY, 400, "empty-segment")                                                                      \
    X(PATH_BYTE, 400, "bad-path-byte")                                                                       \
    X(METHOD, 405, "method-not-allowed")                                                                     \
    X(VERSION, 505, "http-version-not-supported")                                                            \
    X(HOST_MISSING, 400, "host-missing")                                                                     \
    X(HOST_TWICE, 400, "host-twice")                                                                         \
    X(HOST_BAD, 400, "bad-host")                                                                             \
    X(HOST_MISMATCH, 400, "host-mismatch")                                                                   \
    X(LENGTH_BAD, 400, "bad-content-length")                                                                 \
    X(LENGTH_TWICE, 400, "content-length-twice")                                                             \
    X(LENGTH_AND_ENCODING, 400, "content-length-and-transfer-encoding")                                      \
    X(ENCODING, 400, "bad-transfer-encoding")                                                                \
    X(CHUNK, 400, "bad-chunk")                                                                               \
    X(TRAILER, 400, "bad-trailer")                                                                           \
    X(EXPECT, 417, "expectation-not-met")                                                                    \
    X(UPGRADE, 400, "bad-upgrade")                                                                           \
    X(RESERVED_FIELD, 400, "reserved-header")                                                                \
    X(BODY_TOO_LARGE, 413, "body-too-large")                                                                 \
    X(BODY_SHORT, 400, "body-incomplete")                                                                    \
    X(MISDIRECTED, 421, "misdirected-request")                                                               \
    X(TIMEOUT, 408, "request-timeout")                                                                       \
    X(TOO_BIG_FOR_ARENA, 431, "request-too-large")

enum sk_refusal {
#define X(name, status, text) SK_REFUSAL_##name,
    SK_REFUSALS(X)
#undef X
};

uint16_t sk_refusal_status(enum sk_refusal refusal);
struct sk_slice sk_refusal_text(enum sk_refusal refusal);

/* The value of the first field of that name (lower case), or NULL. */
const struct sk_slice *sk_field_find(const struct sk_field *fields, size_t count, struct sk_slice name);
