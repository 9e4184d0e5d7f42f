/* Verifying evidence. Runs in the tools. */
#include "tools/evidence.h"

#include "base/clock.h"
#include "base/text.h"
#include "crypto/note.h"
#include "journal/pruned.h"
#include "journal/reader.h"
#include "journal/record.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SALT ((size_t)16)
#define NUMBER_AT 124U /* of a header: the size, 11 octal digits */
#define SUM_AT 148U
#define AWAY (7200 * SK_SECOND) /* a gateway that was, erases what is due meanwhile */

const char *const sk_evidence_names[SK_EVIDENCE_MEMBERS] = {"evidence", "checkpoint", "left", "tiles", "right", "salts", "records"};

struct verifying {
    struct sk_slice members[SK_EVIDENCE_MEMBERS];
    struct sk_evidence_result *result;
    const char *vkey;
    const struct sk_checkpoints *others;
    struct sk_journal_state state; /* of intents and outcomes */
    struct sk_buf held;            /* struct sk_pruned of what is kept, however old */
    uint32_t days;                 /* that records were kept, as the last word of it says; 0: there is none */
    uint64_t unsound;              /* the first word of pruning that is not what it should be, */
    const char *why;               /* and why; NULL: each is */
    void (*each)(void *context, const struct sk_audit_record *record);
    void *context;
};

static int fail(struct verifying *v, enum sk_evidence_step step, const uint64_t *seq, const char *format, ...) __attribute__((format(printf, 4, 5)));
static int fail(struct verifying *v, enum sk_evidence_step step, const uint64_t *seq, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(v->result->what, sizeof(v->result->what), format, args);
    va_end(args);
    v->result->step = step;
    v->result->has_seq = seq != NULL;
    v->result->seq = seq ? *seq : 0;
    return 1;
}

/* ---- the archive ---- */

static unsigned sum_of(const uint8_t block[SK_EVIDENCE_BLOCK])
{
    unsigned sum = 0;
    for (size_t i = 0; i < SK_EVIDENCE_BLOCK; i++) {
        sum += i >= SUM_AT && i < SUM_AT + 8 ? ' ' : block[i];
    }
    return sum;
}

int sk_evidence_header(const char *name, uint64_t size, uint8_t out[SK_EVIDENCE_BLOCK])
{
    char *at = (char *)out;
    memset(out, 0, SK_EVIDENCE_BLOCK);
    if (size >= UINT64_C(1) << 33) {
        return 1;
    }
    (void)snprintf(at, 100, "%s", name);
    (void)snprintf(at + 100, 8, "%07o", 0644U);
    (void)snprintf(at + 108, 8, "%07o", 0U);
    (void)snprintf(at + 116, 8, "%07o", 0U);
    (void)snprintf(at + NUMBER_AT, 12, "%011llo", (unsigned long long)size);
    (void)snprintf(at + 136, 12, "%011o", 0U);
    at[156] = '0';
    memcpy(at + 257, "ustar\0" "00", 8);
    (void)snprintf(at + SUM_AT, 8, "%06o", sum_of(out));
    at[SUM_AT + 7] = ' ';
    return 0;
}

/* Octal digits, then a NUL or a space. */
static bool read_octal(const uint8_t *at, size_t digits, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < digits; i++) {
        if (at[i] < '0' || at[i] > '7') {
            return false;
        }
        *number = *number * 8 + (uint64_t)(at[i] - '0');
    }
    return at[digits] == 0 || at[digits] == ' ';
}

static bool is_zero(struct sk_slice bytes)
{
    size_t i = 0;
    while (i < bytes.len && bytes.data[i] == 0) {
        i++;
    }
    return i == bytes.len;
}

/* A plain file of that name: its size. False: the block is something else. */
static bool read_header(const uint8_t *block, const char *name, uint64_t *size)
{
    uint64_t sum;
    struct sk_slice named = sk_slice(block, strnlen((const char *)block, 100));
    return sk_slice_eq(named, sk_slice_str(name)) && is_zero(sk_slice(block + named.len, 100 - named.len)) && read_octal(block + NUMBER_AT, 11, size) && read_octal(block + SUM_AT, 6, &sum) && sum == sum_of(block) &&
           block[156] == '0' && memcmp(block + 257, "ustar\0" "00", 8) == 0 && is_zero(sk_slice(block + 157, 100)) && is_zero(sk_slice(block + 345, 155));
}

bool sk_evidence_is(struct sk_slice file)
{
    return file.len >= 2 * SK_EVIDENCE_BLOCK && memcmp(file.data, "evidence", sizeof("evidence")) == 0 && memcmp(file.data + 257, "ustar", 5) == 0;
}

static int read_members(struct verifying *v, struct sk_slice archive)
{
    for (size_t i = 0; i < SK_EVIDENCE_MEMBERS; i++) {
        uint64_t size = 0;
        if (archive.len < SK_EVIDENCE_BLOCK || !read_header((const uint8_t *)archive.data, sk_evidence_names[i], &size)) {
            return fail(v, SK_EVIDENCE_ARCHIVE, NULL, "the archive has no member '%s' where it must be", sk_evidence_names[i]);
        }
        archive = sk_slice_from(archive, SK_EVIDENCE_BLOCK);
        uint64_t padded = (size + SK_EVIDENCE_BLOCK - 1) / SK_EVIDENCE_BLOCK * SK_EVIDENCE_BLOCK;
        if (archive.len < padded || !is_zero(sk_slice_cut(sk_slice_from(archive, size), padded - size))) {
            return fail(v, SK_EVIDENCE_ARCHIVE, NULL, "the member '%s' is cut off, or not followed by zeros", sk_evidence_names[i]);
        }
        v->members[i] = sk_slice_cut(archive, size);
        archive = sk_slice_from(archive, padded);
    }
    if (archive.len < 2 * SK_EVIDENCE_BLOCK || archive.len % SK_EVIDENCE_BLOCK || !is_zero(archive)) {
        return fail(v, SK_EVIDENCE_ARCHIVE, NULL, "behind the last member there are not just blocks of zeros, two at least");
    }
    return 0;
}

/* "NAME N\n". */
static bool read_line(struct sk_slice *text, struct sk_slice name, uint64_t *number)
{
    struct sk_slice digits = sk_slice_from(*text, name.len);
    size_t len = sk_slice_find(digits, '\n');
    bool plain = sk_slice_starts(*text, name) && len < digits.len && len && (digits.data[0] != '0' || len == 1);
    *text = sk_slice_from(digits, len + 1);
    return plain && sk_slice_u64(sk_slice_cut(digits, len), UINT64_MAX, number) == 0;
}

static int read_range(struct verifying *v)
{
    struct sk_slice text = v->members[SK_EVIDENCE_RANGE];
    uint64_t version = 0;
    bool good = read_line(&text, SK_LIT("sekisho-evidence "), &version) && version == 1 && read_line(&text, SK_LIT("first "), &v->result->first) &&
                read_line(&text, SK_LIT("end "), &v->result->end) && text.len == 0 && v->result->first <= v->result->end;
    return good ? 0 : fail(v, SK_EVIDENCE_ARCHIVE, NULL, "the member 'evidence' is not of version 1, or names no range");
}

/* ---- the checkpoint ---- */

static int check_signature(struct verifying *v)
{
    struct sk_slice note = v->members[SK_EVIDENCE_CHECKPOINT];
    struct sk_checkpoint *checkpoint = &v->result->checkpoint;
    if (sk_checkpoint_get(sk_note_text(note), checkpoint) || !sk_checkpoints_is_signed(v->vkey, checkpoint, note)) {
        return fail(v, SK_EVIDENCE_SIGNATURE, NULL, "the checkpoint is none, or not signed by the key that was given");
    }
    return v->result->end <= checkpoint->size ? 0 : fail(v, SK_EVIDENCE_TREE, NULL, "the range goes behind the checkpoint's size");
}

/* ---- trees ---- */

static unsigned level_of(uint64_t from, uint64_t to, unsigned most)
{
    unsigned level = sk_tree_subtree(from, to);
    return level < most ? level : most;
}

/* Appends subtrees of [from, to) with these roots. False: there are fewer of them, or more. */
static bool append_roots(struct sk_tree *tree, uint64_t to, unsigned most, struct sk_slice roots)
{
    while (tree->size < to && roots.len >= SK_TREE_HASH) {
        sk_tree_append_subtree(tree, level_of(tree->size, to, most), (const uint8_t *)roots.data);
        roots = sk_slice_from(roots, SK_TREE_HASH);
    }
    return tree->size == to && roots.len == 0;
}

static int check_tree(struct verifying *v)
{
    const struct sk_evidence_result *result = v->result;
    struct sk_tree tree = {.size = 0};
    uint8_t root[SK_TREE_HASH];
    const struct {
        enum sk_evidence_member member;
        uint64_t to;
        unsigned most;
    } parts[] = {{SK_EVIDENCE_LEFT, result->first, 63}, {SK_EVIDENCE_TILE_ROOTS, result->end, SK_EVIDENCE_TILE}, {SK_EVIDENCE_RIGHT, result->checkpoint.size, 63}};
    for (size_t i = 0; i < SK_COUNT(parts); i++) {
        if (!append_roots(&tree, parts[i].to, parts[i].most, v->members[parts[i].member])) {
            return fail(v, SK_EVIDENCE_TREE, NULL, "the member '%s' has another number of roots than its range", sk_evidence_names[parts[i].member]);
        }
    }
    sk_tree_root(&tree, root);
    return memcmp(root, result->checkpoint.root, SK_TREE_HASH) == 0 ? 0 : fail(v, SK_EVIDENCE_TREE, NULL, "the subtrees do not make the tree that was signed");
}

/* ---- records ---- */

/* Takes the next record off the sequence, and its leaf. False: no item of CBOR is there. */
static bool next_record(struct sk_slice *records, const uint8_t *salt, struct sk_slice *cbor, uint8_t leaf[SK_TREE_HASH])
{
    size_t len = sk_record_length(*records);
    *cbor = sk_slice_cut(*records, len);
    *records = sk_slice_from(*records, len);
    sk_tree_leaf(sk_slice(salt, SALT), *cbor, leaf);
    return len != 0;
}

static int check_tiles(struct verifying *v)
{
    struct sk_slice records = v->members[SK_EVIDENCE_RECORDS_CBOR], salts = v->members[SK_EVIDENCE_SALTS], roots = v->members[SK_EVIDENCE_TILE_ROOTS], cbor;
    if (salts.len / SALT != v->result->end - v->result->first || salts.len % SALT) {
        return fail(v, SK_EVIDENCE_TILES, NULL, "there are not as many salts as records in the range");
    }
    for (uint64_t from = v->result->first, to; from < v->result->end; from = to) {
        struct sk_tree tile = {.size = 0};
        uint8_t leaf[SK_TREE_HASH];
        to = from + (UINT64_C(1) << level_of(from, v->result->end, SK_EVIDENCE_TILE));
        for (uint64_t seq = from; seq < to; seq++) {
            if (!next_record(&records, (const uint8_t *)salts.data + (seq - v->result->first) * SALT, &cbor, leaf)) {
                return fail(v, SK_EVIDENCE_TILES, &from, "record %llu, or one since %llu, is missing or no CBOR", (unsigned long long)seq, (unsigned long long)from);
            }
            sk_tree_append(&tile, leaf);
        }
        if (roots.len < SK_TREE_HASH || memcmp(tile.peaks[0], roots.data, SK_TREE_HASH) != 0) {
            return fail(v, SK_EVIDENCE_TILES, &from, "of the records %llu to %llu some are not those that were signed", (unsigned long long)from, (unsigned long long)to - 1);
        }
        roots = sk_slice_from(roots, SK_TREE_HASH);
    }
    return records.len ? fail(v, SK_EVIDENCE_TILES, NULL, "there are more records than the range has") : 0;
}

static bool closes(const struct sk_audit_record *record)
{
    return record->stage == SK_AUDIT_STAGE_OUTCOME || record->stage == SK_AUDIT_STAGE_END || record->stage == SK_AUDIT_STAGE_UNKNOWN;
}

/* `days=N`: so many, or 0. */
static uint32_t read_days(struct sk_slice detail)
{
    uint64_t days = 0;
    struct sk_slice name = SK_LIT("days="), digits = sk_slice_from(detail, name.len);
    bool good = sk_slice_starts(detail, name) && digits.len && digits.data[0] != '0' && sk_slice_u64(digits, SK_PRUNED_DAYS, &days) == 0;
    return good ? (uint32_t)days : 0;
}

static int follow(struct verifying *v, const struct sk_audit_record *record)
{
    size_t open = v->state.opens.count;
    int r = sk_journal_follow(&v->state, record, 0);
    v->result->closed_before += closes(record) && record->request.len == SK_ID_SIZE && v->state.opens.count == open;
    v->result->earliest = v->result->earliest < record->wall ? v->result->earliest : record->wall;
    v->result->latest = v->result->latest > record->wall ? v->result->latest : record->wall;
    return r;
}

/* What it says of pruning, if it does. */
static int note_pruning(struct verifying *v, const struct sk_audit_record *record)
{
    bool is_pruned = record->op == SK_AUDIT_TRAIL_PRUNED;
    struct sk_pruned pruned = {.first = 0};
    if (record->op == SK_AUDIT_TRAIL_KEPT && !v->why) {
        v->days = read_days(record->detail);
        v->why = v->days ? NULL : "does not say in the form that it has for how many days records are kept";
        v->unsound = record->seq;
    }
    if ((!is_pruned && record->op != SK_AUDIT_TRAIL_HELD) || v->why) {
        return 0;
    }
    v->why = sk_pruned_get(record->detail, &pruned) || pruned.end > record->seq                ? "does not say in the form that it has what was pruned"
             : is_pruned && (record->wall < pruned.until || record->wall - pruned.until < pruned.days * SK_DAY) ? "says that records were erased before they were due"
                                                                                                                : NULL;
    v->unsound = record->seq;
    v->days = is_pruned ? pruned.days : v->days;
    v->result->pruned = is_pruned ? pruned.end : v->result->pruned;
    return is_pruned || v->why ? 0 : sk_buf_put(&v->held, sk_slice(&pruned, sizeof(pruned)));
}

static int by_first(const void *a, const void *b)
{
    uint64_t of_a = ((const struct sk_pruned *)a)->first, of_b = ((const struct sk_pruned *)b)->first;
    return of_a < of_b ? -1 : of_a > of_b;
}

/* Up to which number all from `seq` on is held: `held` has those that begin behind it, in their order. */
static uint64_t held_to(struct sk_slice *held, uint64_t seq, uint64_t before)
{
    struct sk_pruned next;
    while (held->len && (memcpy(&next, held->data, sizeof(next)), next.first <= seq)) {
        before = next.end > before ? next.end : before;
        *held = sk_slice_from(*held, sizeof(next));
    }
    return before;
}

/* What was erased was due; and what was due is gone, or held. */
static int check_pruning(struct verifying *v)
{
    struct sk_slice records = v->members[SK_EVIDENCE_RECORDS_CBOR];
    struct sk_audit_record record;
    uint64_t kept = (v->days + UINT64_C(1)) * SK_DAY + AWAY, signed_at = v->result->checkpoint.wall, time = 0;
    if (v->why) {
        return fail(v, SK_EVIDENCE_PRUNING, &v->unsound, "record %llu %s", (unsigned long long)v->unsound, v->why);
    }
    if (!v->days || v->result->end < v->result->checkpoint.size || signed_at < kept || v->result->earliest >= signed_at - kept) {
        return 0;
    }
    struct sk_slice held = sk_buf_peek(&v->held);
    uint64_t to = 0;
    if (held.len) {
        qsort(v->held.data, held.len / sizeof(struct sk_pruned), sizeof(struct sk_pruned), by_first);
    }
    for (uint64_t seq = v->result->first; seq < v->result->end; seq++) {
        struct sk_slice cbor = sk_slice_cut(records, sk_record_length(records));
        records = sk_slice_from(records, cbor.len);
        to = held_to(&held, seq, to);
        time = sk_record_decode(cbor, &record) == 0 && record.wall > time ? record.wall : time;
        if (time < signed_at - kept && seq >= to) {
            return fail(v, SK_EVIDENCE_PRUNING, &seq, "record %llu was kept for longer than %u days, and nothing says that it is held", (unsigned long long)seq, v->days);
        }
    }
    return 0;
}

static int check_records(struct verifying *v)
{
    struct sk_slice records = v->members[SK_EVIDENCE_RECORDS_CBOR];
    struct sk_audit_record record;
    int r = 0;
    for (uint64_t seq = v->result->first; r == 0 && seq < v->result->end; seq++) {
        struct sk_slice cbor = sk_slice_cut(records, sk_record_length(records));
        records = sk_slice_from(records, cbor.len);
        if (sk_record_decode(cbor, &record)) {
            return fail(v, SK_EVIDENCE_RECORDS, &seq, "record %llu is not in deterministic CBOR or has unknown values", (unsigned long long)seq);
        }
        if (record.seq != seq || memcmp(record.tenant, v->result->checkpoint.tenant, SK_ID_SIZE) != 0) {
            return fail(v, SK_EVIDENCE_RECORDS, &seq, "record %llu is of another tenant, or has another number", (unsigned long long)seq);
        }
        r = follow(v, &record);
        r = r ? r : note_pruning(v, &record);
        if (v->each) {
            v->each(v->context, &record);
        }
    }
    v->result->open = v->state.opens.count;
    return r;
}

/* ---- other checkpoints ---- */

/* The root of the first `size` records, from what is proven by now: as `size` is in the range, or all. */
static void root_at(const struct verifying *v, uint64_t size, uint8_t root[SK_TREE_HASH])
{
    struct sk_slice records = v->members[SK_EVIDENCE_RECORDS_CBOR], salts = v->members[SK_EVIDENCE_SALTS], cbor;
    struct sk_tree tree = {.size = 0};
    uint8_t leaf[SK_TREE_HASH];
    (void)append_roots(&tree, v->result->first, 63, v->members[SK_EVIDENCE_LEFT]);
    while (tree.size < size && next_record(&records, (const uint8_t *)salts.data + (tree.size - v->result->first) * SALT, &cbor, leaf)) {
        sk_tree_append(&tree, leaf);
    }
    sk_tree_root(&tree, root);
}

static int check_other(struct verifying *v, const struct sk_checkpoints_entry *entry)
{
    const struct sk_checkpoint *own = &v->result->checkpoint, *other = &entry->is;
    uint8_t root[SK_TREE_HASH];
    bool same = memcmp(own->node, other->node, SK_ID_SIZE) == 0 && memcmp(own->epoch, other->epoch, SK_ID_SIZE) == 0;
    if (memcmp(own->tenant, other->tenant, SK_ID_SIZE) != 0) {
        return 0; /* another tenant's, from one file of them */
    }
    bool within = other->size >= v->result->first && other->size <= v->result->end;
    if (!same || (!within && other->size != own->size)) {
        return fail(v, SK_EVIDENCE_CHECKPOINTS, NULL, same ? "a checkpoint of %llu records says nothing of this range" : "a checkpoint of %llu records is of another journal",
                (unsigned long long)other->size);
    }
    memcpy(root, own->root, SK_TREE_HASH);
    if (other->size != own->size) {
        root_at(v, other->size, root);
    }
    v->result->met++;
    return memcmp(root, other->root, SK_TREE_HASH) == 0 ? 0
                                                        : fail(v, SK_EVIDENCE_CHECKPOINTS, NULL, "the first %llu records are not those of another checkpoint that was given",
                                                                  (unsigned long long)other->size);
}

static int check_others(struct verifying *v)
{
    int r = 0;
    for (struct sk_table_node *n = v->others ? sk_table_walk(&v->others->table, NULL) : NULL; r == 0 && n; n = sk_table_walk(&v->others->table, n)) {
        r = check_other(v, SK_CONTAINER(n, struct sk_checkpoints_entry, node));
    }
    return r;
}

int sk_evidence_verify(struct sk_slice archive, const char *vkey, const struct sk_checkpoints *others, void (*each)(void *context, const struct sk_audit_record *record),
        void *context, struct sk_evidence_result *result)
{
    struct verifying v = {.result = result, .vkey = vkey, .others = others, .each = each, .context = context, .state = SK_JOURNAL_STATE_INIT, .held = SK_BUF_INIT((size_t)16 << 20)};
    *result = (struct sk_evidence_result){.earliest = UINT64_MAX};
    int r = read_members(&v, archive);
    r = r ? r : read_range(&v);
    r = r ? r : check_signature(&v);
    r = r ? r : check_tree(&v);
    r = r ? r : check_tiles(&v);
    r = r ? r : check_records(&v);
    r = r ? r : check_pruning(&v);
    r = r ? r : check_others(&v);
    sk_buf_free(&v.held);
    sk_journal_state_free(&v.state);
    return r;
}

/* ---- said ---- */

static void print_json(const struct sk_evidence_result *r, bool good, FILE *out)
{
    char tenant[2 * SK_ID_SIZE + 1], time[32], seq[24] = "null", pruned[24] = "null";
    struct sk_buf text SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4096);
    sk_hex_encode(r->checkpoint.tenant, SK_ID_SIZE, tenant);
    sk_time_text(r->checkpoint.wall, time);
    if (r->has_seq) {
        (void)snprintf(seq, sizeof(seq), "%llu", (unsigned long long)r->seq);
    }
    if (r->pruned) {
        (void)snprintf(pruned, sizeof(pruned), "%llu", (unsigned long long)r->pruned);
    }
    int failed = good ? sk_buf_printf(&text, "{\"good\":true,\"first\":%llu,\"end\":%llu,\"size\":%llu,\"tenant\":\"%s\",\"time\":\"%s\",\"records\":%llu,\"open\":%llu,\"closed_before\":%llu,\"pruned\":%s}",
                              (unsigned long long)r->first, (unsigned long long)r->end, (unsigned long long)r->checkpoint.size, tenant, time, (unsigned long long)(r->end - r->first),
                              (unsigned long long)r->open, (unsigned long long)r->closed_before, pruned)
                      : sk_buf_printf(&text, "{\"good\":false,\"step\":%d,\"seq\":%s,\"what\":", (int)r->step, seq);
    failed = failed || good ? failed : sk_json_put_string(&text, sk_slice_str(r->what));
    failed = failed || good ? failed : sk_buf_put(&text, SK_LIT("}"));
    (void)(failed ? 0 : fprintf(out, "%.*s\n", (int)sk_buf_len(&text), sk_buf_peek(&text).data));
}

static void print_good(const struct sk_evidence_result *r, FILE *out)
{
    char tenant[2 * SK_ID_SIZE + 1], node[2 * SK_ID_SIZE + 1], time[32], earliest[32], latest[32];
    unsigned long long count = r->end - r->first, size = r->checkpoint.size;
    sk_hex_encode(r->checkpoint.tenant, SK_ID_SIZE, tenant);
    sk_hex_encode(r->checkpoint.node, SK_ID_SIZE, node);
    sk_time_text(r->checkpoint.wall, time);
    sk_time_text(r->earliest, earliest);
    sk_time_text(r->latest, latest);
    (void)fprintf(out, "proven: %llu records of tenant %s, as gateway %s signed them\n", count, tenant, node);
    (void)fprintf(out, "signed  %s, when there were %llu; by the key that was given\n", time, size);
    if (count) {
        (void)fprintf(out, "range   numbers %llu to %llu, %s to %s: none was changed, left out, put in or moved\n", (unsigned long long)r->first, (unsigned long long)r->end - 1, earliest, latest);
    }
    if (r->first && r->first == r->pruned) {
        (void)fprintf(out, "before  the %llu records before the range were erased when they were due, as a record in it proves\n", (unsigned long long)r->first);
    } else if (r->first) {
        (void)fprintf(out, "before  %llu records are before the range\n", (unsigned long long)r->first);
    }
    (void)fprintf(out, r->end == r->checkpoint.size ? "end     nothing was cut off up to the signature\n" : "end     %llu signed records are behind the range\n", size - r->end);
    (void)fprintf(out, "closed  %llu intents have no outcome in the range, %llu outcomes are of intents before it\n", (unsigned long long)r->open, (unsigned long long)r->closed_before);
    if (r->met) {
        (void)fprintf(out, "met     %zu other checkpoints\n", r->met);
    }
}

void sk_evidence_print(const struct sk_evidence_result *result, bool good, const char *path, bool json, FILE *out, FILE *err)
{
    if (json) {
        print_json(result, good, out);
    } else if (good) {
        print_good(result, out);
    } else {
        (void)fprintf(err, "sekisho-verify: %s: %s\n", path, result->what);
    }
}
