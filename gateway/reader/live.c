/* Live indexes. Runs in the reader. */
#include "reader/live.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

struct live *live_new(uint64_t file)
{
    struct live *live = calloc(1, sizeof(*live));
    if (live) {
        live->file = file;
    }
    return live;
}

static void value_free(struct live_value *value)
{
    if (value->count > LIVE_ROWS) {
        roaring_bitmap_free(value->rows.many);
    }
    sk_wipe(value->bytes, value->len); /* of a record that may be erased */
    free(value);
}

static void free_values(struct live_tenant *tenant)
{
    for (unsigned field = 0; field < SK_TERM_COUNT; field++) {
        for (struct sk_table_node *n = sk_table_walk(&tenant->values[field], NULL); n;) {
            struct sk_table_node *next = sk_table_walk(&tenant->values[field], n);
            value_free(SK_CONTAINER(n, struct live_value, node));
            n = next;
        }
        sk_table_free(&tenant->values[field]);
        tenant->values[field] = SK_TABLE_INIT;
    }
}

static void tenant_free(struct live_tenant *tenant)
{
    free_values(tenant);
    free(tenant->rows);
    free(tenant->many);
    free(tenant->tiles);
    free(tenant);
}

struct live *live_free(struct live *live)
{
    for (struct sk_table_node *n = live ? sk_table_walk(&live->tenants, NULL) : NULL; n;) {
        struct sk_table_node *next = sk_table_walk(&live->tenants, n);
        tenant_free(SK_CONTAINER(n, struct live_tenant, node));
        n = next;
    }
    if (live) {
        sk_table_free(&live->tenants);
    }
    free(live);
    return NULL;
}

void live_forget(struct live *live, const struct sk_keys *keys)
{
    for (struct sk_table_node *n = sk_table_walk(&live->tenants, NULL); n; n = sk_table_walk(&live->tenants, n)) {
        struct live_tenant *tenant = SK_CONTAINER(n, struct live_tenant, node);
        if (sk_keys_gone(keys, tenant->id, tenant->part.day)) {
            free_values(tenant);
        }
    }
}

static struct live_tenant *find_tenant(const struct live *live, const uint8_t id[SK_ID_SIZE])
{
    for (struct sk_table_node *n = sk_table_first(&live->tenants, sk_table_hash(sk_slice(id, SK_ID_SIZE))); n; n = sk_table_next(n)) {
        struct live_tenant *tenant = SK_CONTAINER(n, struct live_tenant, node);
        if (memcmp(tenant->id, id, SK_ID_SIZE) == 0) {
            return tenant;
        }
    }
    return NULL;
}

bool live_part(const struct live *live, const uint8_t id[SK_ID_SIZE], struct part *part)
{
    const struct live_tenant *tenant = find_tenant(live, id);
    if (tenant) {
        *part = tenant->part;
        part->tenant = tenant;
    }
    return tenant != NULL;
}

/* ---- adding ---- */

static int value_add(struct live_value *value, uint32_t row)
{
    if (value->count < LIVE_ROWS) {
        value->rows.few[value->count++] = row;
        return 0;
    }
    if (value->count == LIVE_ROWS) {
        roaring_bitmap_t *many = roaring_bitmap_create();
        if (!many) {
            return -ENOMEM;
        }
        roaring_bitmap_add_many(many, LIVE_ROWS, value->rows.few);
        value->rows.many = many;
    }
    roaring_bitmap_add(value->rows.many, row);
    value->count++;
    return 0;
}

static struct live_value *find_value(const struct sk_table *values, struct sk_slice bytes, uint64_t hash)
{
    for (struct sk_table_node *n = sk_table_first(values, hash); n; n = sk_table_next(n)) {
        struct live_value *value = SK_CONTAINER(n, struct live_value, node);
        if (sk_slice_eq(sk_slice(value->bytes, value->len), bytes)) {
            return value;
        }
    }
    return NULL;
}

static struct live_value *add_value(struct sk_table *values, struct sk_slice bytes, uint64_t hash)
{
    struct live_value *value = malloc(sizeof(*value) + bytes.len);
    if (value) {
        *value = (struct live_value){.len = (uint16_t)bytes.len};
        memcpy(value->bytes, bytes.data, bytes.len);
    }
    if (value && sk_table_add(values, &value->node, hash)) {
        free(value);
        value = NULL;
    }
    return value;
}

static int add_values(struct live_tenant *tenant, const struct sk_audit_record *record, uint32_t row)
{
    uint8_t made[SK_TERM_VALUE];
    int r = 0;
    for (unsigned field = 1; r == 0 && field < SK_TERM_COUNT; field++) {
        struct sk_slice bytes = sk_slice_cut(part_value((enum sk_term_field)field, sk_term_value(record, (enum sk_term_field)field, made)), SK_TERM_VALUE);
        uint64_t hash = bytes.len ? sk_table_hash(bytes) : 0;
        if (bytes.len) {
            struct live_value *value = find_value(&tenant->values[field], bytes, hash);
            value = value ? value : add_value(&tenant->values[field], bytes, hash);
            r = value ? value_add(value, row) : -ENOMEM;
        }
    }
    return r;
}

static int make_room(struct live_tenant *tenant)
{
    if (tenant->part.rows < tenant->room) {
        return 0;
    }
    uint32_t room = tenant->room ? 2 * tenant->room : 64;
    struct live_row *rows = room <= UINT32_MAX / 2 ? reallocarray(tenant->rows, room, sizeof(*rows)) : NULL;
    if (!rows) {
        return -ENOMEM;
    }
    tenant->rows = rows;
    tenant->room = room;
    return 0;
}

static int add_many(struct live_tenant *tenant, const struct sk_audit_record *record)
{
    if (record->stage != SK_AUDIT_STAGE_AGGREGATE || record->count < 2) {
        return 0;
    }
    struct part_many *all = reallocarray(tenant->many, tenant->many_count + 1, sizeof(*all));
    if (!all) {
        return -ENOMEM;
    }
    tenant->many = all;
    all[tenant->many_count++] = (struct part_many){.row = tenant->part.rows, .more = record->count - 1 < UINT32_MAX ? (uint32_t)(record->count - 1) : UINT32_MAX,
            .decision = record->decision};
    return 0;
}

static int live_select(const struct part *part, enum sk_term_field field, struct sk_slice low, struct sk_slice high, roaring_bitmap_t *rows);
static int live_time(const struct part *part, uint32_t row, uint64_t *time);
static int live_place(const struct part *part, uint32_t row, uint64_t *place);
static int live_many(const struct part *part, uint64_t n, struct part_many *many);
static int live_tile(const struct part *part, uint64_t n, uint8_t root[SK_TREE_HASH]);
static const struct part_kind live_kind = {live_select, live_time, live_place, live_many, live_tile};

static struct live_tenant *add_tenant(struct live *live, const struct sk_journal_read *read)
{
    const struct sk_frame_record *frame = read->frame;
    struct live_tenant *tenant = calloc(1, sizeof(*tenant));
    if (!tenant) {
        return NULL;
    }
    tenant->part = (struct part){.kind = &live_kind, .file = live->file, .seq = frame->seq, .day = read->group->day, .ordered = true};
    memcpy(tenant->id, frame->tenant, SK_ID_SIZE);
    if (sk_table_add(&live->tenants, &tenant->node, sk_table_hash(sk_slice(frame->tenant, SK_ID_SIZE)))) {
        free(tenant);
        return NULL;
    }
    return tenant;
}

int live_add(struct live *live, const struct sk_journal_read *read)
{
    struct live_tenant *tenant = find_tenant(live, read->frame->tenant);
    tenant = tenant ? tenant : add_tenant(live, read);
    int r = tenant ? make_room(tenant) : -ENOMEM;
    r = r || !read->record ? r : add_values(tenant, read->record, tenant->part.rows);
    r = r || !read->record ? r : add_many(tenant, read->record);
    if (r) {
        return r;
    }
    struct part *part = &tenant->part;
    uint64_t time = (read->record ? read->record->wall : read->group->wall) / SK_MILLISECOND;
    part->ordered = part->ordered && (part->rows == 0 || time >= tenant->rows[part->rows - 1].time);
    part->first = part->rows == 0 || time < part->first ? time : part->first;
    part->last = time > part->last ? time : part->last;
    tenant->rows[part->rows++] = (struct live_row){time, read->at};
    return 0;
}

int live_add_tile(struct live *live, const uint8_t id[SK_ID_SIZE], const uint8_t root[SK_TREE_HASH])
{
    struct live_tenant *tenant = find_tenant(live, id);
    uint64_t count = tenant ? part_tiles(&tenant->part) : 0;
    bool full = (count & (count - 1)) == 0; /* room is doubled when a power of two is reached */
    uint8_t(*more)[SK_TREE_HASH] = !count ? NULL : full ? reallocarray(tenant->tiles, 2 * count, SK_TREE_HASH) : tenant->tiles;
    if (!more) {
        return count ? -ENOMEM : -EINVAL;
    }
    tenant->tiles = more;
    memcpy(more[count - 1], root, SK_TREE_HASH);
    return 0;
}

/* ---- searching ---- */

static void put_rows(const struct live_value *value, roaring_bitmap_t *rows)
{
    if (value->count > LIVE_ROWS) {
        roaring_bitmap_or_inplace(rows, value->rows.many);
    } else {
        roaring_bitmap_add_many(rows, value->count, value->rows.few);
    }
}

static const struct live_tenant *tenant_of(const struct part *part)
{
    return part->tenant;
}

static int live_select(const struct part *part, enum sk_term_field field, struct sk_slice low, struct sk_slice high, roaring_bitmap_t *rows)
{
    const struct sk_table *values = &tenant_of(part)->values[field];
    low = part_value(field, low);
    high = part_value(field, high);
    if (sk_slice_eq(low, high)) {
        const struct live_value *value = find_value(values, low, sk_table_hash(low));
        if (value) {
            put_rows(value, rows);
        }
        return 0;
    }
    for (struct sk_table_node *n = sk_table_walk(values, NULL); n; n = sk_table_walk(values, n)) {
        const struct live_value *value = SK_CONTAINER(n, struct live_value, node);
        struct sk_slice bytes = sk_slice(value->bytes, value->len);
        if (sk_term_compare(bytes, low) >= 0 && sk_term_compare(bytes, high) <= 0) {
            put_rows(value, rows);
        }
    }
    return 0;
}

static int live_time(const struct part *part, uint32_t row, uint64_t *time)
{
    *time = tenant_of(part)->rows[row].time;
    return 0;
}

static int live_place(const struct part *part, uint32_t row, uint64_t *place)
{
    *place = tenant_of(part)->rows[row].place;
    return 0;
}

static int live_many(const struct part *part, uint64_t n, struct part_many *many)
{
    const struct live_tenant *tenant = tenant_of(part);
    *many = n < tenant->many_count ? tenant->many[n] : (struct part_many){.more = 0};
    return 0;
}

static int live_tile(const struct part *part, uint64_t n, uint8_t root[SK_TREE_HASH])
{
    memcpy(root, tenant_of(part)->tiles[n], SK_TREE_HASH);
    return 0;
}
