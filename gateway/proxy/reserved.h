/* Between the gateway's own pages (reserved.c) and its API (api.c). */
#pragma once

#include "proxy/exchange.h"

/* The n-th value of a name in an application/x-www-form-urlencoded body or query, decoded; the null slice when absent. */
struct sk_slice sk_form_value(struct sk_arena *arena, struct sk_slice form, const char *name, unsigned nth);
/* Asks auth in the exchange's name, or answers 503. */
void sk_reserved_ask(struct sk_exchange *x, uint16_t code, void *message);
/* 200 with this body. */
void sk_reserved_json(struct sk_exchange *x, struct sk_slice json);
