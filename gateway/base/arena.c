/* The bounded arena. Any process. */
#include "sekisho/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_SIZE ((size_t)8192)

struct sk_arena_block {
    struct sk_arena_block *next;
    size_t size;
    size_t used;
    max_align_t data[];
};

void sk_arena_init(struct sk_arena *arena, size_t limit)
{
    *arena = (struct sk_arena){.limit = limit};
}

void sk_arena_reset(struct sk_arena *arena)
{
    struct sk_arena_block *block = arena->block;
    while (block && block->next) {
        struct sk_arena_block *next = block->next;
        free(block);
        block = next;
    }
    if (block) {
        block->used = 0;
    }
    arena->block = block;
    arena->used = 0;
    arena->failed = false;
}

void sk_arena_free(struct sk_arena *arena)
{
    sk_arena_reset(arena);
    free(arena->block);
    arena->block = NULL;
}

void *sk_arena_alloc(struct sk_arena *arena, size_t size)
{
    size_t need;
    if (arena->failed || __builtin_add_overflow(size, _Alignof(max_align_t) - 1, &need)) {
        arena->failed = true;
        return NULL;
    }
    need &= ~(_Alignof(max_align_t) - 1);
    if (need > arena->limit - arena->used) {
        arena->failed = true;
        return NULL;
    }
    struct sk_arena_block *block = arena->block;
    if (!block || block->size - block->used < need) {
        size_t room = need > BLOCK_SIZE ? need : BLOCK_SIZE;
        struct sk_arena_block *fresh = malloc(sizeof(*fresh) + room);
        if (!fresh) {
            arena->failed = true;
            return NULL;
        }
        fresh->next = block;
        fresh->size = room;
        fresh->used = 0;
        arena->block = block = fresh;
    }
    void *given = (char *)block->data + block->used;
    block->used += need;
    arena->used += need;
    return given;
}

void *sk_arena_zalloc(struct sk_arena *arena, size_t size)
{
    void *given = sk_arena_alloc(arena, size);
    if (given) {
        memset(given, 0, size);
    }
    return given;
}

struct sk_slice sk_arena_copy(struct sk_arena *arena, struct sk_slice s)
{
    return sk_arena_join(arena, &s, 1);
}

struct sk_slice sk_arena_join(struct sk_arena *arena, const struct sk_slice *parts, size_t count)
{
    size_t len = 0, at = 0;
    for (size_t i = 0; i < count; i++) {
        len += parts[i].len;
    }
    char *text = sk_arena_alloc(arena, len + 1);
    if (!text) {
        return SK_SLICE_NULL;
    }
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len) {
            memcpy(text + at, parts[i].data, parts[i].len);
            at += parts[i].len;
        }
    }
    text[len] = '\0';
    return sk_slice(text, len);
}

struct sk_slice sk_arena_printf(struct sk_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *text = len < 0 ? NULL : sk_arena_alloc(arena, (size_t)len + 1);
    if (!text) {
        return SK_SLICE_NULL;
    }
    va_start(args, format);
    (void)vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return sk_slice(text, (size_t)len);
}
