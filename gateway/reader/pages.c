/* Opened pages. Runs in the reader. */
#include "reader/pages.h"

#include "base/clock.h"

#include <stdlib.h>

struct page {
    struct sk_table_node node;
    struct page *newer, *older;
    struct page_name name;
    uint8_t bytes[PAGE_SIZE];
};

static uint64_t hash_of(const struct page_name *name)
{
    return sk_table_hash(sk_slice(name, sizeof(*name)));
}

static struct page *find(const struct pages *pages, const struct page_name *name)
{
    for (struct sk_table_node *n = sk_table_first(&pages->table, hash_of(name)); n; n = sk_table_next(n)) {
        struct page *page = SK_CONTAINER(n, struct page, node);
        if (memcmp(&page->name, name, sizeof(*name)) == 0) {
            return page;
        }
    }
    return NULL;
}

static void take_out(struct pages *pages, struct page *page)
{
    *(page->newer ? &page->newer->older : &pages->newest) = page->older;
    *(page->older ? &page->older->newer : &pages->oldest) = page->newer;
}

static void put_first(struct pages *pages, struct page *page)
{
    page->newer = NULL;
    page->older = pages->newest;
    *(page->older ? &page->older->newer : &pages->oldest) = page;
    pages->newest = page;
}

const uint8_t *pages_find(struct pages *pages, const struct page_name *name)
{
    struct page *page = find(pages, name);
    if (page && page != pages->newest) {
        take_out(pages, page);
        put_first(pages, page);
    }
    return page ? page->bytes : NULL;
}

uint8_t *pages_add(struct pages *pages, const struct page_name *name)
{
    struct page *page = pages->table.count < pages->most ? malloc(sizeof(*page)) : pages->oldest;
    if (!page) {
        return NULL;
    }
    if (page == pages->oldest) {
        take_out(pages, page);
        sk_table_remove(&pages->table, &page->node);
    }
    page->name = *name;
    if (sk_table_add(&pages->table, &page->node, hash_of(name))) {
        free(page);
        return NULL;
    }
    put_first(pages, page);
    return page->bytes;
}

static void page_free(struct pages *pages, struct page *page)
{
    sk_wipe(page->bytes, sizeof(page->bytes));
    take_out(pages, page);
    sk_table_remove(&pages->table, &page->node);
    free(page);
}

void pages_drop(struct pages *pages, const struct page_name *name)
{
    struct page *page = find(pages, name);
    if (page) {
        page_free(pages, page);
    }
}

void pages_free(struct pages *pages)
{
    while (pages->newest) {
        page_free(pages, pages->newest);
    }
    sk_table_free(&pages->table);
}
