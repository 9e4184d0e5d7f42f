/*
 * A bounded arena: one for each request. What it gives lives until the arena is reset. When the bound is reached
 * it gives NULL, and so do all later calls until the reset: running out fails one request, nothing else.
 */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

struct sk_arena_block;

struct sk_arena {
    struct sk_arena_block *block; /* newest first */
    size_t used;                  /* bytes given from all blocks */
    size_t limit;                 /* most bytes it ever gives */
    bool failed;
};

/* `limit` in bytes. Memory is taken from the heap in blocks when it is first needed. */
void sk_arena_init(struct sk_arena *arena, size_t limit);
/* Forgets everything given; keeps one block for the next request. */
void sk_arena_reset(struct sk_arena *arena);
void sk_arena_free(struct sk_arena *arena);

/* Aligned for any type; not zeroed. NULL when the limit is reached. */
void *sk_arena_alloc(struct sk_arena *arena, size_t size) sk_nodiscard;
void *sk_arena_zalloc(struct sk_arena *arena, size_t size) sk_nodiscard;
/* A copy of `s`, NUL-terminated behind its end; the null slice when the limit is reached. */
struct sk_slice sk_arena_copy(struct sk_arena *arena, struct sk_slice s);
/* The parts one behind the other, NUL-terminated behind the end; the null slice when the limit is reached. */
struct sk_slice sk_arena_join(struct sk_arena *arena, const struct sk_slice *parts, size_t count);
/* Formatted text, NUL-terminated behind its end; the null slice when the limit is reached. */
struct sk_slice sk_arena_printf(struct sk_arena *arena, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
