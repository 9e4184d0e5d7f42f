/* How far a feed has come, in the file NAME.cursor of its folder: a place in the journal, as ipc/feed.h has them. */
#pragma once

#include "sekisho/error.h"

#include <stdint.h>

struct cursor {
    uint64_t file, at, skip;
};

/* 0; 1 there is none, and `cursor` is the journal's beginning; negative: it cannot be read, or says nothing. */
int cursor_read(int folder, const char *name, struct cursor *cursor) sk_nodiscard;
/* In the old one's place, on stable storage. 0 or negative. */
int cursor_write(int folder, const char *name, const struct cursor *cursor) sk_nodiscard;
