/*
 * The normal form of a request target. A path has one spelling: unreserved characters are never percent-encoded,
 * all others that need it are, in upper-case hex (RFC 3986 section 6.2.2). What two servers may read differently is
 * refused: an encoded slash or backslash, '\', ';', a dot segment in any spelling, an empty segment, control bytes,
 * bytes above ASCII, a fragment. So what was judged is, byte for byte, what is sent.
 */
#pragma once

#include "sekisho/message.h"

/* Splits and normalises "/path?query" into `path` and `query`, in the arena. */
enum sk_refusal sk_target_parse(
        struct sk_slice target, struct sk_arena *arena, struct sk_slice *path, struct sk_slice *query) sk_nodiscard;

/* "host" or "host:port" to lower case, and the host alone. RFC 3986 reg-name of letters, digits, '-', '.', '_', or an IP literal. */
enum sk_refusal sk_authority_parse(
        struct sk_slice text, struct sk_arena *arena, struct sk_slice *authority, struct sk_slice *host) sk_nodiscard;
