/* Reading packed files. Runs in audit and reader, and in sekisho-verify. */
#include "journal/reader_impl.h"

#include "base/clock.h"
#include "journal/record.h"

#include <errno.h>

struct chunk {
    struct reading *reading;
    const struct sk_packed *packed;
    uint32_t n;
    struct sk_packed_chunk is;
    struct sk_journal_tenant *tenant;
    struct sk_unpacked *unpacked;
    struct sk_block *salt;
};

static int damaged(const struct chunk *c, uint64_t index, const char *text)
{
    return sk_reading_damaged(c->reading->error, c->is.at, c->is.group, index, "%s", text);
}

/* What each record is told with: the chunk's group, as far as it is known. */
static void tell(const struct chunk *c, uint64_t seq, const uint8_t *leaf, const struct sk_audit_record *record, size_t len)
{
    struct reading *r = c->reading;
    struct sk_frame_record frame = {.len = (uint32_t)len, .kind = SK_FRAME_SEALED, .seq = seq};
    memcpy(frame.tenant, c->is.tenant, SK_ID_SIZE);
    const struct sk_journal_read read = {&frame, leaf, &r->group, c->is.at, record};
    if (r->each) {
        r->each(r->context, &read);
    }
}

static int read_record(struct chunk *c, uint32_t i)
{
    struct reading *r = c->reading;
    struct sk_frame_record frame = {.seq = c->is.seq + i};
    struct sk_audit_record record;
    struct sk_slice cbor = sk_unpacked_record(c->unpacked, i);
    uint8_t salt[SK_BLOCK], leaf[SK_TREE_HASH];
    memcpy(frame.tenant, c->is.tenant, SK_ID_SIZE);
    int result = sk_reading_decode(r, i + 1U, &frame, cbor, &record);
    result = result ? result : sk_sealed_salt(c->salt, frame.seq, salt);
    if (result == 0) {
        sk_tree_leaf(sk_slice(salt, sizeof(salt)), cbor, leaf);
        sk_tree_append(&c->tenant->tree, leaf);
        tell(c, frame.seq, leaf, &record, cbor.len);
    }
    return result;
}

/* The tree that they make is the one that the chunk says. */
static int read_records(struct chunk *c)
{
    struct sk_tree said = c->tenant->tree;
    int result = 0;
    sk_packed_append(c->packed, &c->is, &said);
    for (uint32_t i = 0; result == 0 && i < c->is.count; i++) {
        result = read_record(c, i);
    }
    bool same = memcmp(said.peaks, c->tenant->tree.peaks, (size_t)sk_tree_peaks(said.size) * SK_TREE_HASH) == 0;
    return result || same ? result : damaged(c, 0, "the records are not those of the tree");
}

/* Nobody can open them, but where they stand in the tree. */
static int pass_records(struct chunk *c)
{
    struct reading *r = c->reading;
    sk_packed_append(c->packed, &c->is, &c->tenant->tree);
    r->state->erased += r->state->keys ? c->is.count : 0;
    for (uint32_t i = 0; i < c->is.count; i++) {
        tell(c, c->is.seq + i, NULL, NULL, 0);
    }
    return 0;
}

/* 0; 1 damaged; 2 its keys are no more, or there are none; negative. */
static int open_chunk(struct chunk *c)
{
    const struct sk_journal_state *state = c->reading->state;
    uint8_t key[SK_KEYS_SECRET];
    struct sk_sealer *sealer = NULL;
    if (!state->keys) {
        return 2;
    }
    const bool lost = sk_keys_lost(state->keys, c->is.tenant, c->packed->header.day, c->is.group);
    int result = c->is.len ? sk_packed_sealer(&c->packed->header, state->keys, c->is.tenant, &sealer) : 1;
    result = result ? result : sk_unpacked_open(c->unpacked, sealer, c->packed, c->n);
    (void)sk_sealer_free(sealer);
    if (result) {
        return result < 0 ? result : lost ? 2 : damaged(c, 0, "the chunk is not sealed by its tenant's keys, or holds something else than its records");
    }
    if (sk_keys_derive(state->keys, c->is.tenant, c->packed->header.day, "salt", SK_SLICE_NULL, key)) {
        return 2;
    }
    c->salt = sk_block_new(key);
    sk_wipe(key, sizeof(key));
    return c->salt ? 0 : -ENOMEM;
}

static int read_chunk(struct reading *r, const struct sk_packed *packed, uint32_t n, struct sk_unpacked *unpacked)
{
    struct chunk c = {.reading = r, .packed = packed, .n = n, .is = sk_packed_chunk(packed, n), .unpacked = unpacked};
    c.tenant = sk_journal_tenant(r->state, c.is.tenant);
    if (!c.tenant) {
        return -ENOMEM;
    }
    if (c.is.seq != c.tenant->tree.size) {
        return sk_reading_damaged(r->error, c.is.at, c.is.group, 0, "sequence number %llu where %llu must follow", (unsigned long long)c.is.seq,
                (unsigned long long)c.tenant->tree.size);
    }
    if (c.is.group < r->state->group || c.is.group > packed->header.group) {
        return damaged(&c, 0, "the chunk is of a group that is not of this file"); /* by that it is told what was erased */
    }
    if (!sk_packed_check(packed, &c.is)) {
        return damaged(&c, 0, "the chunk is not what the directory says");
    }
    r->group = (struct sk_frame_group){.file = packed->header.file.number, .number = c.is.group, .kind = SK_FRAME_RECORDS, .count = c.is.count, .wall = packed->header.wall,
            .boot = packed->header.boot, .day = packed->header.day};
    int result = open_chunk(&c);
    result = result == 0 ? read_records(&c) : result == 2 ? pass_records(&c) : result;
    (void)sk_block_free(c.salt);
    r->state->records += result ? 0 : c.is.count;
    r->offset = c.is.at + sk_packed_roots(&c.is) * SK_TREE_HASH + c.is.len;
    return result;
}

/* As after the last group that it had. */
static void end_file(struct reading *r, const struct sk_packed *packed)
{
    struct sk_journal_state *state = r->state;
    state->begun = true;
    state->group = packed->header.group + 1;
    state->wall = packed->header.wall;
    state->boot = packed->header.boot;
    state->day = packed->header.day;
    memcpy(state->hash, packed->header.last, SK_FRAME_HASH);
    r->offset = packed->file.len;
}

int sk_reading_chunks(struct reading *r, const struct sk_packed *packed, uint64_t end)
{
    struct sk_unpacked unpacked = SK_UNPACKED_INIT;
    uint32_t n = sk_packed_at(packed, r->offset);
    int result = 0;
    while (result == 0 && n < packed->header.count && r->offset < end) {
        result = read_chunk(r, packed, n++, &unpacked);
    }
    if (result == 0 && n == packed->header.count && r->offset < end) {
        end_file(r, packed);
    }
    sk_unpacked_free(&unpacked);
    return result;
}
