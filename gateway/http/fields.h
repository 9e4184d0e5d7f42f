/* Rules about header fields that hold for every version. */
#pragma once

#include "sekisho/message.h"

bool sk_field_is_token(struct sk_slice text);
/* No control bytes but the tab. */
bool sk_field_value_ok(struct sk_slice value);

/* Is `token` in the comma-separated list, ignoring case? */
bool sk_field_list_has(struct sk_slice list, struct sk_slice token);

/* Fields that belong to one connection, not to the message: RFC 9110 section 7.6.1. `name` lower case. */
bool sk_field_is_hop_by_hop(struct sk_slice name);

enum sk_reserved {
    SK_RESERVED_NO = 0,
    SK_RESERVED_FORWARDING, /* spelled as balancers do: dropped and written anew */
    SK_RESERVED_IDENTITY,   /* the gateway's to say, or a forwarding name in a strange spelling: refused */
};

/*
 * Folds the name: case, and every byte that is not a letter or digit to '-', as CGI and WSGI servers do. Whatever
 * then equals a name by which the gateway speaks to upstreams is reserved.
 */
enum sk_reserved sk_field_reserved(struct sk_slice name);
/* True when the two names would be one to an upstream that folds. */
bool sk_field_folds_to(struct sk_slice name, struct sk_slice other);

/* A trailer may carry only what is no part of framing, routing, identity or authentication. */
bool sk_field_trailer_ok(struct sk_slice name);
