/*
 * Text and bytes with their length. A slice borrows: it never owns what it points to, and what it points to
 * need not end in NUL. The null slice {NULL, 0} is the empty text.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct sk_slice {
    const char *data;
    size_t len;
};

#define SK_SLICE_NULL ((struct sk_slice){NULL, 0})
/* A slice of a string literal. */
#define SK_LIT(text) ((struct sk_slice){"" text, sizeof(text) - 1})

static inline struct sk_slice sk_slice(const void *data, size_t len)
{
    return (struct sk_slice){data, len};
}

/* A NUL-terminated text as it comes from libc; NULL gives the null slice. */
static inline struct sk_slice sk_slice_str(const char *text)
{
    return (struct sk_slice){text, text ? strlen(text) : 0};
}

static inline bool sk_slice_eq(struct sk_slice a, struct sk_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline struct sk_slice sk_slice_from(struct sk_slice s, size_t from)
{
    return from >= s.len ? SK_SLICE_NULL : (struct sk_slice){s.data + from, s.len - from};
}

static inline struct sk_slice sk_slice_cut(struct sk_slice s, size_t len)
{
    return (struct sk_slice){s.data, len < s.len ? len : s.len};
}

static inline bool sk_slice_starts(struct sk_slice s, struct sk_slice prefix)
{
    return s.len >= prefix.len && sk_slice_eq(sk_slice_cut(s, prefix.len), prefix);
}

/* ASCII only: bytes above 0x7f compare as they are. */
bool sk_slice_eq_nocase(struct sk_slice a, struct sk_slice b);

/* Index of the first `byte`, or `s.len` when there is none. */
static inline size_t sk_slice_find(struct sk_slice s, char byte)
{
    const char *hit = s.len ? memchr(s.data, byte, s.len) : NULL;
    return hit ? (size_t)(hit - s.data) : s.len;
}

/* Takes the text before the next `separator` off `rest` and returns it; the separator itself is dropped. */
struct sk_slice sk_slice_split(struct sk_slice *rest, char separator);

/* Without spaces and tabs at both ends. */
struct sk_slice sk_slice_trim(struct sk_slice s);

/* Decimal digits only, no sign, no space. 0 on success, 1 when it is not a number or above `max`. */
int sk_slice_u64(struct sk_slice s, uint64_t max, uint64_t *value);

static inline char sk_ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}
