/*
 * The product log: one JSON object a line on standard error, event id first. Programs log, libraries return.
 * Not the audit trail: nothing here is evidence, and nothing secret or personal belongs here.
 */
#pragma once

#include "sekisho/event-ids.h"
#include "sekisho/slice.h"

struct sk_log_field {
    const char *name; /* NULL ends the list */
    struct sk_slice text;
    int64_t number; /* used when text.data is NULL */
};

static inline struct sk_log_field sk_log_text(const char *name, struct sk_slice text)
{
    return (struct sk_log_field){name, text.data ? text : SK_LIT(""), 0};
}

#define SK_TEXT(field, value) sk_log_text((field), sk_slice_str(value))
#define SK_SLICE(field, value) sk_log_text((field), (value))
#define SK_NUMBER(field, value) ((struct sk_log_field){(field), {NULL, 0}, (int64_t)(value)})

/* Name of this program in every line. `name` must live as long as the process. */
void sk_log_init(const char *name);
/* One line, written with one write(2); a line that does not fit 8 KiB is cut. */
void sk_log_write(enum sk_event event, const struct sk_log_field *fields);
/* The first of the list is a blank, so that there may be no field at all; what is written begins behind it. */
#define sk_log(event, ...) sk_log_write((event), (const struct sk_log_field[]){{0}, ##__VA_ARGS__, {0}} + 1)
