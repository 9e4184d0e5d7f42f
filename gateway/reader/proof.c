/* Subtrees and ranges. Runs in the reader. */
#include "reader/proof.h"

#include <errno.h>

/* Where the walk through a tenant's records is. */
struct walk {
    const struct segments *segments;
    const uint8_t *tenant;
    size_t at; /* segment */
    struct part part;
    bool has; /* `part` is that segment's */
};

/* Goes on to the part that has this record; numbers never go back. False: none has. */
static bool walk_to(struct walk *w, uint64_t seq)
{
    while (!w->has || seq >= w->part.seq + w->part.rows) {
        w->at += w->has;
        while (w->at < w->segments->count && !segment_part(&w->segments->all[w->at], w->tenant, &w->part)) {
            w->at++;
        }
        w->has = w->at < w->segments->count;
        if (!w->has) {
            return false;
        }
    }
    return seq >= w->part.seq;
}

/* Appends the leaves [from, end), whole tiles at once where they are whole in the tree, too. 0; 1; negative. */
static int append(struct walk *w, uint64_t from, uint64_t end, struct sk_tree *tree)
{
    uint8_t root[SK_TREE_HASH];
    int r = 0;
    while (r == 0 && from < end) {
        if (!walk_to(w, from)) {
            return 1;
        }
        uint64_t tiles = part_tiles_from(&w->part), n = from >= tiles ? (from - tiles) / PART_TILE : UINT64_MAX;
        bool tile = from % PART_TILE == 0 && end - from >= PART_TILE && n < part_tiles(&w->part);
        const struct segment *segment = &w->segments->all[w->at];
        unsigned level = tile ? PART_TILE_LEVEL : 0;
        r = tile ? w->part.kind->tile(&w->part, n, root) : segment_subtree(segment, w->tenant, from, end, &level, root);
        if (!tile && r) {
            level = 0;
            r = segment_leaf(segment, w->segments->shelf.keys, w->tenant, &w->part, (uint32_t)(from - w->part.seq), root);
        }
        sk_tree_append_subtree(tree, level, root);
        from += UINT64_C(1) << level;
    }
    return r;
}

/* The root of the whole subtree of 2^level leaves that begins there. 0; 1; negative. */
static int subtree(struct walk *w, uint64_t from, unsigned level, uint8_t root[SK_TREE_HASH])
{
    struct sk_tree tree = {.size = 0};
    int r = append(w, from, from + (UINT64_C(1) << level), &tree);
    memcpy(root, tree.peaks[0], SK_TREE_HASH);
    return r;
}

int proof_left(const struct segments *segments, const uint8_t tenant[SK_ID_SIZE], uint64_t to, uint8_t roots[PROOF_MOST][SK_TREE_HASH], size_t *count)
{
    struct walk w = {.segments = segments, .tenant = tenant};
    struct sk_tree tree = {.size = 0};
    *count = 0;
    if (to == 0) {
        return 0;
    }
    size_t i = walk_to(&w, to) || !w.has ? w.at : 0;
    i = i < segments->count ? i : segments->count - 1;
    while (i && !sk_journal_begins(segments->all[i].bytes, NULL, NULL)) {
        i--; /* it goes on from the one before without saying where all stands */
    }
    sk_journal_begins_with(segments->all[i].bytes, tenant, &tree);
    w = (struct walk){.segments = segments, .tenant = tenant, .at = i};
    int r = tree.size > to ? 1 : append(&w, tree.size, to, &tree);
    *count = r ? 0 : sk_tree_peaks(to);
    memcpy(roots, tree.peaks, *count * SK_TREE_HASH);
    return r;
}

int proof_subtrees(const struct segments *segments, const uint8_t tenant[SK_ID_SIZE], uint64_t from, uint64_t to, uint8_t roots[PROOF_MOST][SK_TREE_HASH],
        size_t *count)
{
    struct walk w = {.segments = segments, .tenant = tenant};
    int r = 0;
    *count = 0;
    while (r == 0 && from < to) {
        unsigned level = sk_tree_subtree(from, to);
        r = subtree(&w, from, level, roots[(*count)++]);
        from += UINT64_C(1) << level;
    }
    return r;
}

/* By the time of each. */
static int ends_among(const struct part *part, const struct question *q, const roaring_bitmap_t *rows, uint64_t *first, uint64_t *end)
{
    roaring_uint32_iterator_t at;
    int r = 0;
    for (roaring_init_iterator(rows, &at); r == 0 && at.has_value; (void)roaring_advance_uint32_iterator(&at)) {
        uint64_t time = 0;
        r = part->kind->time(part, at.current_value, &time);
        if (time >= q->from && (!q->to || time < q->to)) {
            *first = *end ? *first : part->seq + at.current_value;
            *end = part->seq + at.current_value + 1;
        }
    }
    return r;
}

static int ends_of(const struct part *part, const struct question *q, uint64_t *first, uint64_t *end)
{
    roaring_bitmap_t *rows = NULL;
    int r = find_rows(part, q, &rows);
    if (r || !rows) {
        return r;
    }
    if (part->ordered) {
        *first = *end ? *first : part->seq + roaring_bitmap_minimum(rows);
        *end = part->seq + roaring_bitmap_maximum(rows) + 1;
    } else {
        r = ends_among(part, q, rows, first, end);
    }
    roaring_bitmap_free(rows);
    return r;
}

int proof_range(const struct segments *segments, const struct question *question, uint64_t *first, uint64_t *end, uint64_t *file)
{
    int r = 0;
    *first = *end = 0;
    for (size_t i = 0; r == 0 && i < segments->count; i++) {
        struct part part;
        *file = segments->all[i].header.number;
        r = segment_known(&segments->all[i], segments->shelf.keys, question->tenant, &part) ? ends_of(&part, question, first, end) : 0;
    }
    return r;
}
