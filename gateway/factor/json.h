/* JSON that strangers wrote: one object, no name twice, no deep nesting, no NUL, UTF-8 alone. */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

#define SK_JSON_DEPTH 16

struct json_t; /* jansson's */

/* NULL when the text is no such object, or there is no memory. Who calls gives it back to json_decref. */
struct json_t *sk_json_object(struct sk_slice text);
/* A member that is a string. 0; 1 it is not there; 2 it is something else. */
int sk_json_member(const struct json_t *object, const char *name, struct sk_slice *text) sk_nodiscard;
/* A string; the null slice when it is none. */
struct sk_slice sk_json_string(const struct json_t *string);
