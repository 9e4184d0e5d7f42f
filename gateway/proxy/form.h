/* What a browser's form, or a query, says: application/x-www-form-urlencoded. Pure. */
#pragma once

#include "sekisho/arena.h"

/* The n-th value of a name in it, decoded; the null slice when absent, or without memory. */
struct sk_slice sk_form_value(struct sk_arena *arena, struct sk_slice form, const char *name, unsigned nth);
