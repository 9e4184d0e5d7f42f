/*
 * Pages of index files, opened and kept as long as there is room: those that were used last. A page is sealed by itself, so that a search opens what
 * it looks at and nothing else.
 */
#pragma once

#include "base/table.h"
#include "sekisho/error.h"
#include "sekisho/slice.h"

#define PAGE_SIZE ((size_t)16384) /* bytes of it, opened */

/* Which page: of this file, of the section that begins there, the n-th. */
struct page_name {
    uint64_t file, section, number;
};

struct page;

struct pages {
    struct sk_table table;
    struct page *newest, *oldest;
    size_t most; /* pages that are kept */
};

#define PAGES_INIT(bytes) ((struct pages){.most = (bytes) / PAGE_SIZE})
/* What was in them is wiped. */
void pages_free(struct pages *pages);

/* The page's bytes, until the next call; NULL: it is not kept. */
const uint8_t *pages_find(struct pages *pages, const struct page_name *name);
/* Room for a page that was not, in place of the one used longest ago. NULL without memory. The caller fills it, or drops it again. */
uint8_t *pages_add(struct pages *pages, const struct page_name *name);
void pages_drop(struct pages *pages, const struct page_name *name);
