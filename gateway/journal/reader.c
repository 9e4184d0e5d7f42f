/* Reading and checking journals. Runs in audit at its start and in sekisho-verify. */
#include "journal/reader_impl.h"

#include "base/text.h"
#include "journal/record.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const uint8_t no_hash[SK_FRAME_HASH];

int sk_reading_damaged(struct sk_journal_error *error, uint64_t offset, uint64_t group, uint64_t record, const char *format, ...)
{
    va_list args;
    *error = (struct sk_journal_error){.offset = offset, .group = group, .record = record};
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    return 1;
}

void sk_journal_state_free(struct sk_journal_state *state)
{
    struct sk_table *tables[] = {&state->tenants, &state->opens};
    for (size_t t = 0; t < SK_COUNT(tables); t++) {
        for (struct sk_table_node *node = sk_table_walk(tables[t], NULL); node;) {
            struct sk_table_node *next = sk_table_walk(tables[t], node);
            if (tables[t] == &state->tenants) {
                sk_sealing_free(&SK_CONTAINER(node, struct sk_journal_tenant, node)->sealing);
            }
            free(node); /* the node is the first member of both */
            node = next;
        }
        sk_table_free(tables[t]);
    }
}

struct sk_journal_tenant *sk_journal_find_tenant(const struct sk_journal_state *state, const uint8_t id[SK_ID_SIZE])
{
    uint64_t hash = sk_table_hash(sk_slice(id, SK_ID_SIZE));
    for (struct sk_table_node *n = sk_table_first(&state->tenants, hash); n; n = sk_table_next(n)) {
        struct sk_journal_tenant *tenant = SK_CONTAINER(n, struct sk_journal_tenant, node);
        if (memcmp(tenant->id, id, SK_ID_SIZE) == 0) {
            return tenant;
        }
    }
    return NULL;
}

struct sk_journal_tenant *sk_journal_tenant(struct sk_journal_state *state, const uint8_t id[SK_ID_SIZE])
{
    struct sk_journal_tenant *tenant = sk_journal_find_tenant(state, id);
    if (tenant || !(tenant = calloc(1, sizeof(*tenant)))) {
        return tenant;
    }
    memcpy(tenant->id, id, SK_ID_SIZE);
    if (sk_table_add(&state->tenants, &tenant->node, sk_table_hash(sk_slice(id, SK_ID_SIZE)))) {
        free(tenant);
        return NULL;
    }
    return tenant;
}

static struct sk_journal_open *find_open(struct sk_journal_state *state, const uint8_t *tenant, const uint8_t *request, uint64_t hash)
{
    for (struct sk_table_node *n = sk_table_first(&state->opens, hash); n; n = sk_table_next(n)) {
        struct sk_journal_open *open = SK_CONTAINER(n, struct sk_journal_open, node);
        if (memcmp(open->request, request, SK_ID_SIZE) == 0 && memcmp(open->tenant, tenant, SK_ID_SIZE) == 0) {
            return open;
        }
    }
    return NULL;
}

static int add_open(struct sk_journal_state *state, const uint8_t *tenant, const uint8_t *request, uint64_t seq, unsigned owner)
{
    struct sk_journal_open *open = calloc(1, sizeof(*open));
    if (!open) {
        return -ENOMEM;
    }
    memcpy(open->tenant, tenant, SK_ID_SIZE);
    memcpy(open->request, request, SK_ID_SIZE);
    open->seq = seq;
    open->owner = owner;
    int r = sk_table_add(&state->opens, &open->node, sk_table_hash(sk_slice(request, SK_ID_SIZE)));
    if (r) {
        free(open);
    } else {
        state->owned[owner]++;
    }
    return r;
}

int sk_journal_follow(struct sk_journal_state *state, const struct sk_audit_record *record, unsigned owner)
{
    bool opens = record->stage == SK_AUDIT_STAGE_INTENT || record->stage == SK_AUDIT_STAGE_START;
    bool closes = record->stage == SK_AUDIT_STAGE_OUTCOME || record->stage == SK_AUDIT_STAGE_END || record->stage == SK_AUDIT_STAGE_UNKNOWN;
    if ((!opens && !closes) || record->request.len != SK_ID_SIZE) {
        return 0;
    }
    const uint8_t *request = (const uint8_t *)record->request.data;
    struct sk_journal_open *open = find_open(state, record->tenant, request, sk_table_hash(record->request));
    if (opens && !open) {
        return add_open(state, record->tenant, request, record->seq, owner);
    }
    if (closes && open) {
        sk_table_remove(&state->opens, &open->node);
        state->owned[open->owner]--;
        free(open);
    }
    return 0;
}

static bool is_zero(struct sk_slice bytes)
{
    return bytes.len == 0 || (bytes.data[0] == 0 && memcmp(bytes.data, bytes.data + 1, bytes.len - 1) == 0);
}

static size_t without_zeros_behind(struct sk_slice bytes)
{
    size_t len = bytes.len;
    while (len >= SK_FRAME_BLOCK && is_zero(sk_slice(bytes.data + len - SK_FRAME_BLOCK, SK_FRAME_BLOCK))) {
        len -= SK_FRAME_BLOCK; /* most of a file is space for groups to come */
    }
    while (len && bytes.data[len - 1] == 0) {
        len--;
    }
    return len;
}

/* Which intents are open is not, but from snapshots. */
static bool is_blind(const struct sk_journal_state *state)
{
    return !state->keys || state->erased;
}

int sk_reading_decode(struct reading *r, uint64_t index, const struct sk_frame_record *frame, struct sk_slice cbor, struct sk_audit_record *record)
{
    if (sk_record_decode(cbor, record)) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, index, "the record is not in deterministic CBOR or has unknown values");
    }
    if (memcmp(record->tenant, frame->tenant, SK_ID_SIZE) != 0 || record->seq != frame->seq) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, index, "the record belongs to another tenant or place than its frame says");
    }
    return sk_journal_follow(r->state, record, 0);
}

/* What is in it, and what that opens or closes. 0; 1 damaged; 2 its keys are no more; negative. */
static int open_record(struct reading *r, uint64_t index, const struct sk_frame_record *frame, struct sk_slice sealed, struct sk_audit_record *record)
{
    struct sk_journal_tenant *tenant = sk_journal_find_tenant(r->state, frame->tenant);
    size_t len = 0;
    int result = sk_sealing_set(&tenant->sealing, r->state->keys, frame->tenant, r->group.day, r->group.run);
    const bool erased = result == 1 && sk_keys_lost(r->state->keys, frame->tenant, r->group.day, r->group.number);
    if (result && !erased) {
        return result < 0 ? result : sk_reading_damaged(r->error, r->offset, r->group.number, index, "the keys have none for the record's tenant and day");
    }
    result = erased ? 1 : sk_sealing_open(&tenant->sealing, frame, sealed, r->cbor, &len);
    if (result == 1 && sk_keys_lost(r->state->keys, frame->tenant, r->group.day, r->group.number)) {
        r->state->erased++;
        return 2;
    }
    if (result) {
        return result < 0 ? result : sk_reading_damaged(r->error, r->offset, r->group.number, index, "the record is not sealed by its tenant's keys, or not what its leaf says");
    }
    return sk_reading_decode(r, index, frame, sk_slice(r->cbor, len), record);
}

static int read_record(struct reading *r, uint64_t index, struct sk_slice *body)
{
    struct sk_frame_record frame;
    struct sk_audit_record record;
    struct sk_slice sealed;
    if (sk_frame_next_record(body, &frame, &sealed)) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, index, "the record's frame is malformed or of an unknown kind");
    }
    struct sk_journal_tenant *tenant = sk_journal_tenant(r->state, frame.tenant);
    if (!tenant) {
        return -ENOMEM;
    }
    if (frame.seq != tenant->tree.size) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, index, "sequence number %llu where %llu must follow",
                (unsigned long long)frame.seq, (unsigned long long)tenant->tree.size);
    }
    int result = r->state->keys ? open_record(r, index, &frame, sealed, &record) : 2;
    if (result && result != 2) {
        return result;
    }
    sk_tree_append(&tenant->tree, sk_sealed_leaf(sealed));
    r->state->records++;
    if (r->each) {
        uint64_t at = (uint64_t)((const uint8_t *)sealed.data - SK_FRAME_RECORD_HEADER - r->file);
        const struct sk_journal_read read = {&frame, sk_sealed_leaf(sealed), &r->group, at, result == 0 ? &record : NULL};
        r->each(r->context, &read);
    }
    return 0;
}

static int read_records(struct reading *r, struct sk_slice body)
{
    for (uint32_t i = 1; i <= r->group.count; i++) {
        int result = read_record(r, i, &body);
        if (result) {
            return result;
        }
    }
    return body.len ? sk_reading_damaged(r->error, r->offset, r->group.number, 0, "bytes behind the last record") : 0;
}

static int read_intent(struct reading *r, const struct sk_frame_entry *entry, bool trust, uint64_t index)
{
    uint64_t hash = sk_table_hash(sk_slice(entry->hash, SK_ID_SIZE));
    trust = trust || is_blind(r->state);
    if (trust && !find_open(r->state, entry->tenant, entry->hash, hash) && add_open(r->state, entry->tenant, entry->hash, entry->seq, 0)) {
        return -ENOMEM;
    }
    struct sk_journal_open *open = find_open(r->state, entry->tenant, entry->hash, hash);
    if (!open || open->seq != entry->seq || open->snapshot == r->group.file) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, index, "the snapshot names an intent that is not open, or twice");
    }
    open->snapshot = r->group.file;
    return 0;
}

static bool all_peaks(const struct reading *r)
{
    return !r->tenant || r->peaks == sk_tree_peaks(r->tenant->tree.size);
}

/* Its peaks follow. */
static int read_tenant(struct reading *r, const struct sk_frame_entry *entry, bool trust, uint64_t index)
{
    struct sk_journal_tenant *tenant = sk_journal_tenant(r->state, entry->tenant);
    if (!tenant) {
        return -ENOMEM;
    }
    if (tenant->snapshot == r->group.file || (!trust && tenant->tree.size != entry->seq)) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, index, "the snapshot does not agree with the records before it");
    }
    tenant->tree.size = entry->seq;
    tenant->snapshot = r->group.file;
    r->tenant = tenant;
    r->peaks = 0;
    memcpy(r->root, entry->hash, SK_TREE_HASH);
    return 0;
}

static int read_peak(struct reading *r, const struct sk_frame_entry *entry, bool trust, uint64_t index)
{
    if (all_peaks(r) || entry->seq != r->peaks || memcmp(entry->tenant, r->tenant->id, SK_ID_SIZE) != 0) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, index, "the snapshot has a tree's peak where none is");
    }
    uint8_t *peak = r->tenant->tree.peaks[r->peaks++];
    if (!trust && memcmp(peak, entry->hash, SK_TREE_HASH) != 0) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, index, "the snapshot does not agree with the records before it");
    }
    memcpy(peak, entry->hash, SK_TREE_HASH);
    return 0;
}

/* The first snapshot of a reading is taken on trust; a later one must say what was read. */
static int read_entry(struct reading *r, const struct sk_frame_entry *entry, bool trust, uint64_t index)
{
    uint8_t root[SK_TREE_HASH];
    if (entry->kind != SK_FRAME_PEAK && !all_peaks(r)) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, index, "the snapshot leaves out a tree's peak");
    }
    int result = entry->kind == SK_FRAME_INTENT ? read_intent(r, entry, trust, index)
                 : entry->kind == SK_FRAME_TENANT ? read_tenant(r, entry, trust, index)
                                                  : read_peak(r, entry, trust, index);
    if (result || entry->kind == SK_FRAME_INTENT || !all_peaks(r)) {
        return result;
    }
    sk_tree_root(&r->tenant->tree, root);
    return memcmp(root, r->root, SK_TREE_HASH) == 0 ? 0 : sk_reading_damaged(r->error, r->offset, r->group.number, index, "the snapshot's tree has another root than it says");
}

/* Which intents were closed since the last snapshot is not known without keys: those that this one does not name. */
static void drop_closed(struct reading *r)
{
    for (struct sk_table_node *n = sk_table_walk(&r->state->opens, NULL); n;) {
        struct sk_table_node *next = sk_table_walk(&r->state->opens, n);
        struct sk_journal_open *open = SK_CONTAINER(n, struct sk_journal_open, node);
        if (open->snapshot != r->group.file) {
            sk_table_remove(&r->state->opens, n);
            r->state->owned[open->owner]--;
            free(open);
        }
        n = next;
    }
}

/* One group of it. With the last one it must have named every tenant and every open intent. */
static int read_snapshot(struct reading *r, struct sk_slice body, bool trust)
{
    if (r->state->file == 1 && r->group.count) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, 0, "the first file's snapshot names what was before it");
    }
    for (uint32_t i = 1; i <= r->group.count; i++) {
        struct sk_frame_entry entry;
        if (sk_frame_next_entry(&body, &entry)) {
            return sk_reading_damaged(r->error, r->offset, r->group.number, i, "the snapshot's entry is malformed");
        }
        int result = read_entry(r, &entry, trust, i);
        if (result) {
            return result;
        }
        r->tenants += entry.kind == SK_FRAME_TENANT;
        r->intents += entry.kind == SK_FRAME_INTENT;
    }
    r->parts = r->group.kind == SK_FRAME_PART;
    if (!r->parts && is_blind(r->state)) {
        drop_closed(r);
    }
    bool whole = body.len == 0 && (r->parts || (all_peaks(r) && r->tenants == r->state->tenants.count && r->intents == r->state->opens.count));
    return whole ? 0 : sk_reading_damaged(r->error, r->offset, r->group.number, 0, "the snapshot leaves out tenants or open intents");
}

int sk_journal_get_file(struct sk_slice file, struct sk_frame_file *header)
{
    struct sk_packed_header packed;
    int r = file.len < SK_FRAME_BLOCK ? 1 : sk_frame_get_file((const uint8_t *)file.data, header);
    if (r == 1 && file.len >= SK_FRAME_BLOCK && sk_packed_get_header((const uint8_t *)file.data, &packed) == 0) {
        *header = packed.file;
        return 0;
    }
    return r;
}

static int begin_file(struct sk_journal_state *state, struct sk_slice file, struct sk_frame_file *header, struct sk_journal_error *error)
{
    int r = sk_journal_get_file(file, header);
    if (r) {
        return sk_reading_damaged(error, 0, 0, 0, r == 2 ? "the file's format is another than this program's" : "not a journal file, or its header was changed");
    }
    if (state->begun && header->number != state->file + 1) {
        return sk_reading_damaged(error, 0, 0, 0, "file %llu follows file %llu: a file is missing", (unsigned long long)header->number,
                (unsigned long long)state->file);
    }
    if (state->begun && memcmp(header->previous, state->hash, SK_FRAME_HASH) != 0) {
        return sk_reading_damaged(error, 0, 0, 0, "the file does not go on from the one before it: groups are missing or were changed");
    }
    if (header->number == 1 && memcmp(header->previous, no_hash, SK_FRAME_HASH) != 0) {
        return sk_reading_damaged(error, 0, 0, 0, "the first file names a predecessor");
    }
    if (state->begun && (memcmp(header->node, state->node, SK_ID_SIZE) != 0 || memcmp(header->epoch, state->epoch, SK_ID_SIZE) != 0)) {
        return sk_reading_damaged(error, 0, 0, 0, "the file is of another gateway, or of another journal of it");
    }
    memcpy(state->node, header->node, SK_ID_SIZE);
    memcpy(state->epoch, header->epoch, SK_ID_SIZE);
    memcpy(state->hash, header->previous, SK_FRAME_HASH);
    state->file = header->number;
    return 0;
}

/* A whole valid group of this file somewhere behind: then the break before it is damage, not a torn end. */
static bool group_behind(struct sk_slice file, uint64_t from, uint64_t number)
{
    for (uint64_t at = from; at + SK_FRAME_BLOCK <= file.len; at += SK_FRAME_BLOCK) {
        struct sk_frame_group group;
        const uint8_t *p = (const uint8_t *)file.data + at;
        if (sk_frame_get_group(p, &group) || group.file != number || group.body > file.len - at - SK_FRAME_GROUP_HEADER) {
            continue;
        }
        if (sk_frame_check_group(p, p + SK_FRAME_GROUP_HEADER, group.body)) {
            return true;
        }
    }
    return false;
}

static int check_group(struct reading *r, struct sk_slice file)
{
    const uint8_t *p = (const uint8_t *)file.data + r->offset;
    if (r->group.number != r->state->group && (r->state->begun || r->parts)) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, 0, "group %llu where %llu must follow", (unsigned long long)r->group.number,
                (unsigned long long)r->state->group);
    }
    if (memcmp(r->group.previous, r->state->hash, SK_FRAME_HASH) != 0) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, 0, "the group does not go on from the one before it");
    }
    size_t used = SK_FRAME_GROUP_HEADER + r->group.body;
    if (!is_zero(sk_slice(p + used, sk_frame_group_size(r->group.body) - used))) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, 0, "bytes behind the group's end");
    }
    bool snapshot = r->group.kind != SK_FRAME_RECORDS;
    if (snapshot && r->offset != SK_FRAME_BLOCK && !r->parts) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, 0, "a snapshot stands first in a file, and only there");
    }
    if (!snapshot && r->parts) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, 0, "records before the snapshot is whole");
    }
    if (!snapshot && !r->state->begun && r->state->file != 1) {
        return sk_reading_damaged(r->error, r->offset, r->group.number, 0, "reading cannot begin with this file: it has no snapshot");
    }
    struct sk_slice body = sk_slice(p + SK_FRAME_GROUP_HEADER, r->group.body);
    int result = snapshot ? read_snapshot(r, body, !r->state->begun) : read_records(r, body);
    if (result == 0) {
        r->state->begun = r->state->begun || !r->parts;
        r->state->group = r->group.number + 1;
        r->state->wall = r->group.wall;
        r->state->boot = r->group.boot;
        r->state->day = r->group.day;
        memcpy(r->state->hash, r->group.hash, SK_FRAME_HASH);
    }
    return result;
}

/* Each entry of a file's snapshot. True: a reading can begin with it. */
typedef void (*each_entry)(void *context, const struct sk_frame_entry *entry);

static bool walk_snapshot(struct sk_slice file, each_entry each, void *context)
{
    struct sk_frame_file header;
    struct sk_frame_group group;
    struct sk_frame_entry entry;
    struct sk_packed packed;
    if (sk_journal_get_file(file, &header) || (header.packed ? sk_packed_open(file, &packed) != 0 : file.len < 2 * SK_FRAME_BLOCK)) {
        return false;
    }
    file = header.packed ? sk_slice_cut(file, packed.header.chunks) : file; /* what is behind them is no group, whatever it looks like */
    bool begins = header.number == 1;
    for (size_t at = SK_FRAME_BLOCK; file.len - at >= SK_FRAME_BLOCK; at += sk_frame_group_size(group.body)) {
        const uint8_t *p = (const uint8_t *)file.data + at;
        if (sk_frame_get_group(p, &group) || group.kind == SK_FRAME_RECORDS || sk_frame_group_size(group.body) > file.len - at) {
            break;
        }
        begins = true;
        for (struct sk_slice body = sk_slice(p + SK_FRAME_GROUP_HEADER, group.body); each && sk_frame_next_entry(&body, &entry) == 0;) {
            each(context, &entry);
        }
    }
    return begins;
}

struct standing {
    sk_journal_stand each;
    void *context;
};

static void note_stand(void *context, const struct sk_frame_entry *entry)
{
    const struct standing *standing = context;
    if (entry->kind == SK_FRAME_TENANT) {
        standing->each(standing->context, entry->tenant, entry->seq, entry->hash);
    }
}

bool sk_journal_begins(struct sk_slice file, sk_journal_stand each, void *context)
{
    struct standing standing = {each, context};
    return walk_snapshot(file, each ? note_stand : NULL, &standing);
}

struct beginning {
    const uint8_t *tenant;
    struct sk_tree *tree;
};

static void note_tree(void *context, const struct sk_frame_entry *entry)
{
    const struct beginning *b = context;
    if (memcmp(entry->tenant, b->tenant, SK_ID_SIZE) != 0) {
        return;
    }
    if (entry->kind == SK_FRAME_TENANT) {
        b->tree->size = entry->seq;
    } else if (entry->kind == SK_FRAME_PEAK && entry->seq < SK_TREE_PEAKS) {
        memcpy(b->tree->peaks[entry->seq], entry->hash, SK_TREE_HASH);
    }
}

void sk_journal_begins_with(struct sk_slice file, const uint8_t tenant[SK_ID_SIZE], struct sk_tree *tree)
{
    struct beginning b = {tenant, tree};
    tree->size = 0;
    (void)walk_snapshot(file, note_tree, &b);
}

static bool group_here(struct reading *r, struct sk_slice file)
{
    if (file.len < r->offset || file.len - r->offset < SK_FRAME_BLOCK) {
        return false;
    }
    const uint8_t *p = (const uint8_t *)file.data + r->offset;
    return !sk_frame_get_group(p, &r->group) && r->group.file == r->state->file &&
           sk_frame_group_size(r->group.body) <= file.len - r->offset && sk_frame_check_group(p, p + SK_FRAME_GROUP_HEADER, r->group.body);
}

static int read_groups(struct reading *r, struct sk_slice file, const uint8_t *until)
{
    int result = 0;
    while (result == 0 && group_here(r, file) && !(until && memcmp(r->state->hash, until, SK_FRAME_HASH) == 0)) {
        result = check_group(r, file);
        r->offset += sk_frame_group_size(r->group.body);
    }
    return result;
}

/* Groups up to `end`, or to that one; then none of a snapshot is missing. */
static int read_groups_to(struct reading *r, struct sk_slice file, uint64_t end, const uint8_t *until)
{
    int result = 0;
    while (result == 0 && (r->offset < end || r->parts) && !(until && memcmp(r->state->hash, until, SK_FRAME_HASH) == 0)) {
        result = group_here(r, file) ? check_group(r, file)
                                     : sk_reading_damaged(r->error, r->offset, r->state->group, 0, "a group that was written is missing or damaged");
        r->offset += result ? 0 : sk_frame_group_size(r->group.body);
    }
    return result;
}

/* Its snapshot and chunks, up to `end`. */
static int read_packed(struct reading *r, struct sk_slice file, uint64_t end)
{
    struct sk_packed packed;
    if (sk_packed_open(file, &packed)) {
        return sk_reading_damaged(r->error, 0, 0, 0, "the packed file's header or directory was changed");
    }
    const uint64_t chunks = packed.header.chunks;
    if (chunks == SK_FRAME_BLOCK && packed.header.count == 0) {
        return sk_reading_damaged(r->error, SK_FRAME_BLOCK, r->state->group, 0, "the file's first group is missing or damaged");
    }
    int result = read_groups_to(r, sk_slice_cut(file, chunks), end < chunks ? end : chunks, NULL);
    if (result == 0 && r->offset >= chunks && !r->state->begun && r->state->file != 1) {
        return sk_reading_damaged(r->error, r->offset, r->state->group, 0, "reading cannot begin with this file: it has no snapshot");
    }
    return result || r->offset < chunks ? result : sk_reading_chunks(r, &packed, end);
}

/* A file that is written in groups, and may be torn at its end. */
static int read_written(struct reading *r, struct sk_slice file, const uint8_t *until, uint64_t *torn)
{
    int result = read_groups(r, file, until);
    /* A journal may grow while it is read: a place that was empty is none any more when there are groups behind it. */
    bool broken = true;
    while (result == 0 && broken) {
        *torn = without_zeros_behind(sk_slice_from(file, r->offset));
        broken = !until && *torn && group_behind(file, r->offset, r->state->file);
        if (broken && !group_here(r, file)) {
            return sk_reading_damaged(r->error, r->offset, r->state->group, 0, "the group is damaged, and groups follow it: this is no torn end");
        }
        result = broken ? read_groups(r, file, NULL) : 0;
    }
    if (result) {
        return result;
    }
    if (r->offset == SK_FRAME_BLOCK) {
        return sk_reading_damaged(r->error, r->offset, r->state->group, 0, "the file's first group is missing or damaged");
    }
    return r->parts ? sk_reading_damaged(r->error, r->offset, r->state->group, 0, "the rest of the snapshot is missing or damaged") : 0;
}

int sk_journal_read(struct sk_journal_state *state, struct sk_slice file, const uint8_t *until,
        sk_journal_each each, void *context,
        uint64_t *end, uint64_t *torn, struct sk_journal_error *error)
{
    struct sk_frame_file header = {0};
    struct reading r = {.state = state, .file = (const uint8_t *)file.data, .offset = SK_FRAME_BLOCK, .each = each, .context = context, .error = error};
    *end = SK_FRAME_BLOCK;
    *torn = 0;
    int result = begin_file(state, file, &header, error);
    result = result ? result : header.packed ? read_packed(&r, file, file.len) : read_written(&r, file, until, torn);
    if (result) {
        return result;
    }
    *end = r.offset;
    if (until && memcmp(state->hash, until, SK_FRAME_HASH) != 0) {
        return sk_reading_damaged(error, r.offset, state->group, 0, "the next file goes on from a group that is missing or damaged here");
    }
    return 0;
}

int sk_journal_read_on(struct sk_journal_state *state, struct sk_slice file, uint64_t *at, uint64_t end, const uint8_t *until,
        sk_journal_each each, void *context, struct sk_journal_error *error)
{
    struct sk_frame_file header = {0};
    struct reading r = {.state = state, .file = (const uint8_t *)file.data, .offset = *at ? *at : SK_FRAME_BLOCK, .each = each, .context = context, .error = error};
    int result = *at ? 0 : begin_file(state, file, &header, error);
    if (result == 0 && *at && sk_journal_get_file(file, &header)) {
        return sk_reading_damaged(error, 0, 0, 0, "the file's header was changed");
    }
    result = result ? result : header.packed ? read_packed(&r, file, end) : read_groups_to(&r, file, end, until);
    *at = r.offset;
    return result;
}

void sk_journal_file_name(uint64_t number, char out[40])
{
    (void)snprintf(out, 40, "journal-%016llx.skj", (unsigned long long)number);
}

void sk_journal_put_head(const struct sk_journal_state *state, char out[SK_JOURNAL_HEAD_SIZE + 1])
{
    (void)snprintf(out, SK_JOURNAL_HEAD_SIZE + 1, "%016llx %016llx\n", (unsigned long long)state->file,
            (unsigned long long)state->group - 1);
}

static bool get_number(struct sk_slice text, uint64_t *number)
{
    uint8_t bytes[8];
    if (text.len < 16 || sk_hex_decode(sk_slice(text.data, 16), bytes, sizeof(bytes))) {
        return false;
    }
    *number = 0;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        *number = *number << 8 | bytes[i];
    }
    return true;
}

uint64_t sk_journal_file_number(const char *name)
{
    struct sk_slice s = sk_slice_str(name);
    uint64_t number;
    if (s.len != 28 || !sk_slice_starts(s, SK_LIT("journal-")) || strcmp(name + 24, ".skj") != 0 ||
            !get_number(sk_slice_from(s, 8), &number)) {
        return 0;
    }
    return number;
}

struct sk_journal_head sk_journal_get_head(struct sk_slice text)
{
    struct sk_journal_head head = {0, 0};
    uint64_t group;
    if (get_number(text, &head.file) && text.len == SK_JOURNAL_HEAD_SIZE && get_number(sk_slice_from(text, 17), &group)) {
        head.groups = group + 1;
    }
    return head;
}

int sk_journal_check_head(const struct sk_journal_state *state, const struct sk_journal_head *head, uint64_t end,
        struct sk_journal_error *error)
{
    if (head->file > state->file) {
        (void)sk_reading_damaged(error, 0, 0, 0, "the file is missing: it was the newest when the journal was last written");
        return 2;
    }
    return head->groups <= state->group ? 0 : sk_reading_damaged(error, end, state->group, 0, "the group is missing or damaged, and it was acknowledged: so was group %llu",
            (unsigned long long)head->groups - 1);
}
