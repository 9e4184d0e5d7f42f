/* Crafted journal files. Tests alone. */
#include "crafted.h"

#include "journal/record.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct sk_keys *crafted_keys;
static const uint8_t run[SK_ID_SIZE] = {0xaa};

#define DAY 20000

void setup(void)
{
    static const uint8_t secret[SK_KEYS_SECRET] = {3}, service[SK_ID_SIZE] = {4};
    struct sk_buf slots SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(16 * SK_KEYS_SLOT);
    char why[160];
    cr_assert_eq(sk_keys_new(secret, SK_SLICE_NULL, &crafted_keys, why), 0);
    for (uint8_t i = 1; i < 4; i++) {
        uint8_t id[SK_ID_SIZE] = {i};
        cr_assert_eq(sk_keys_need_tenant(crafted_keys, id, service, &slots) || sk_keys_need_day(crafted_keys, id, DAY, &slots), 0);
    }
}

void teardown(void)
{
    crafted_keys = sk_keys_free(crafted_keys);
}

struct sk_journal_state begun(void)
{
    struct sk_journal_state state = SK_JOURNAL_STATE_INIT;
    state.keys = crafted_keys;
    return state;
}

struct tenant tenant(uint8_t n)
{
    return (struct tenant){.id = {n}};
}

struct file *begin(uint64_t number, const struct file *before)
{
    struct file *f = calloc(1, sizeof(*f));
    cr_assert_neq(f, NULL);
    f->header.number = number;
    f->group = before ? before->group : 0;
    if (before) {
        memcpy(f->hash, before->hash, SK_FRAME_HASH);
        memcpy(f->header.previous, before->hash, SK_FRAME_HASH);
    }
    sk_frame_put_file(&f->header, f->bytes);
    f->at = SK_FRAME_BLOCK;
    return f;
}

void close_group(struct file *f, enum sk_frame_group_kind kind)
{
    struct sk_frame_group group = {.file = f->header.number,
            .number = f->group++,
            .kind = kind,
            .body = (uint32_t)f->body_len,
            .count = f->count,
            .wall = 1000 + f->group,
            .day = DAY};
    memcpy(group.run, run, SK_ID_SIZE);
    memcpy(group.previous, f->hash, SK_FRAME_HASH);
    sk_frame_put_group(&group, f->body, f->bytes + f->at);
    memcpy(f->bytes + f->at + SK_FRAME_GROUP_HEADER, f->body, f->body_len);
    memcpy(f->hash, group.hash, SK_FRAME_HASH);
    f->at += sk_frame_group_size(f->body_len);
    f->body_len = 0;
    f->count = 0;
}

void put(struct file *f, struct tenant *t, enum sk_audit_stage stage, uint8_t request, uint64_t seq,
        const uint8_t *frame_tenant, uint64_t frame_seq)
{
    uint8_t cbor[SK_AUDIT_RECORD_MAX], id[SK_ID_SIZE] = {request, 1};
    struct sk_audit_record record = {.op = SK_AUDIT_REQUEST,
            .stage = stage,
            .decision = SK_AUDIT_DECISION_ALLOW,
            .seq = seq,
            .wall = 5,
            .request = sk_slice(id, sizeof(id))};
    memcpy(record.tenant, t->id, SK_ID_SIZE);
    size_t len = sk_record_encode(&record, cbor);
    struct sk_frame_record frame = {.seq = frame_seq};
    struct sk_sealing sealing = {.day = 0};
    memcpy(frame.tenant, frame_tenant, SK_ID_SIZE);
    uint8_t leaf[SK_TREE_HASH];
    cr_assert_eq(sk_sealing_set(&sealing, crafted_keys, frame_tenant, DAY, run), 0);
    cr_assert_eq(sk_sealing_seal(&sealing, &frame, sk_slice(cbor, len), leaf, f->body + f->body_len), 0);
    sk_sealing_free(&sealing);
    sk_tree_append(&t->tree, leaf);
    f->body_len += SK_FRAME_RECORD_HEADER + frame.len;
    f->count++;
}

void record(struct file *f, struct tenant *t)
{
    put(f, t, SK_AUDIT_STAGE_SINGLE, 0, t->next, t->id, t->next);
    t->next++;
}

void staged(struct file *f, struct tenant *t, enum sk_audit_stage stage, uint8_t request)
{
    put(f, t, stage, request, t->next, t->id, t->next);
    t->next++;
}

static void put_entry(struct file *f, const struct tenant *t, enum sk_frame_entry_kind kind, uint64_t seq, const uint8_t *hash, size_t len)
{
    struct sk_frame_entry e = {.kind = kind, .seq = seq};
    memcpy(e.tenant, t->id, SK_ID_SIZE);
    memcpy(e.hash, hash, len);
    sk_frame_put_entry(&e, f->body + f->body_len);
    f->body_len += SK_FRAME_ENTRY;
    f->count++;
}

void entry_of(struct file *f, const struct tenant *t, uint64_t seq, unsigned peaks)
{
    uint8_t root[SK_TREE_HASH];
    sk_tree_root(&t->tree, root);
    put_entry(f, t, SK_FRAME_TENANT, seq, root, sizeof(root));
    for (unsigned i = 0; i < peaks; i++) {
        put_entry(f, t, SK_FRAME_PEAK, i, t->tree.peaks[i], SK_TREE_HASH);
    }
}

void entry(struct file *f, const struct tenant *t, uint64_t seq)
{
    entry_of(f, t, seq, sk_tree_peaks(t->tree.size));
}

void intent(struct file *f, const struct tenant *t, uint8_t request, uint64_t seq)
{
    put_entry(f, t, SK_FRAME_INTENT, seq, (const uint8_t[]){request, 1}, 2);
}

struct file *first(struct tenant *a, struct tenant *b)
{
    *a = tenant(1);
    *b = tenant(2);
    struct file *f = begin(1, NULL);
    close_group(f, SK_FRAME_SNAPSHOT);
    record(f, a);
    record(f, b);
    close_group(f, SK_FRAME_RECORDS);
    staged(f, a, SK_AUDIT_STAGE_INTENT, 9);
    record(f, b);
    close_group(f, SK_FRAME_RECORDS);
    return f;
}

void snapshot(struct file *f, const struct tenant *a, const struct tenant *b)
{
    entry(f, a, a->next);
    entry(f, b, b->next);
    intent(f, a, 9, 1);
    close_group(f, SK_FRAME_SNAPSHOT);
}

struct file *second(struct file *one, struct tenant *a, struct tenant *b)
{
    struct file *f = begin(2, one);
    snapshot(f, a, b);
    staged(f, a, SK_AUDIT_STAGE_OUTCOME, 9);
    record(f, b);
    close_group(f, SK_FRAME_RECORDS);
    return f;
}

void each(void *context, const struct sk_journal_read *read)
{
    uint64_t *sum = context;
    cr_assert(!read->record || read->record->seq == read->frame->seq);
    *sum = *sum * 10 + read->frame->seq + (uint64_t)read->frame->tenant[0] * 3;
}

