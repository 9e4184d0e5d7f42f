/* Live indexes. Runs in the reader. */
#include "reader/live.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define INLINE 2U /* rows of a value that are kept without a bitmap: a request has an intent and an outcome */

/* One value of a field, and the rows that have it. */
struct value {
    struct sk_table_node node;
    uint32_t count;
    union {
        uint32_t rows[INLINE];
        roaring_bitmap_t *many; /* when there are more */
    } in;
    uint16_t len;
    uint8_t bytes[];
};

struct row {
    uint64_t time, place;
};

struct tenant {
    struct part part;
    struct sk_table_node node;
    uint8_t id[SK_ID_SIZE];
    uint32_t room;
    struct row *rows;
    struct sk_table values[SK_TERM_COUNT];
};

struct live {
    uint64_t file;
    struct sk_table tenants;
};

struct live *live_new(uint64_t file)
{
    struct live *live = calloc(1, sizeof(*live));
    if (live) {
        live->file = file;
    }
    return live;
}

static void value_free(struct value *value)
{
    if (value->count > INLINE) {
        roaring_bitmap_free(value->in.many);
    }
    free(value);
}

static void tenant_free(struct tenant *tenant)
{
    for (unsigned field = 0; field < SK_TERM_COUNT; field++) {
        for (struct sk_table_node *n = sk_table_walk(&tenant->values[field], NULL); n;) {
            struct sk_table_node *next = sk_table_walk(&tenant->values[field], n);
            value_free(SK_CONTAINER(n, struct value, node));
            n = next;
        }
        sk_table_free(&tenant->values[field]);
    }
    free(tenant->rows);
    free(tenant);
}

struct live *live_free(struct live *live)
{
    for (struct sk_table_node *n = live ? sk_table_walk(&live->tenants, NULL) : NULL; n;) {
        struct sk_table_node *next = sk_table_walk(&live->tenants, n);
        tenant_free(SK_CONTAINER(n, struct tenant, node));
        n = next;
    }
    if (live) {
        sk_table_free(&live->tenants);
    }
    free(live);
    return NULL;
}

static struct tenant *find_tenant(const struct live *live, const uint8_t id[SK_ID_SIZE])
{
    for (struct sk_table_node *n = sk_table_first(&live->tenants, sk_table_hash(sk_slice(id, SK_ID_SIZE))); n; n = sk_table_next(n)) {
        struct tenant *tenant = SK_CONTAINER(n, struct tenant, node);
        if (memcmp(tenant->id, id, SK_ID_SIZE) == 0) {
            return tenant;
        }
    }
    return NULL;
}

const struct part *live_part(const struct live *live, const uint8_t id[SK_ID_SIZE])
{
    const struct tenant *tenant = find_tenant(live, id);
    return tenant ? &tenant->part : NULL;
}

/* ---- adding ---- */

static int value_add(struct value *value, uint32_t row)
{
    if (value->count < INLINE) {
        value->in.rows[value->count++] = row;
        return 0;
    }
    if (value->count == INLINE) {
        roaring_bitmap_t *many = roaring_bitmap_create();
        if (!many) {
            return -ENOMEM;
        }
        roaring_bitmap_add_many(many, INLINE, value->in.rows);
        value->in.many = many;
    }
    roaring_bitmap_add(value->in.many, row);
    value->count++;
    return 0;
}

static struct value *find_value(const struct sk_table *values, struct sk_slice bytes, uint64_t hash)
{
    for (struct sk_table_node *n = sk_table_first(values, hash); n; n = sk_table_next(n)) {
        struct value *value = SK_CONTAINER(n, struct value, node);
        if (sk_slice_eq(sk_slice(value->bytes, value->len), bytes)) {
            return value;
        }
    }
    return NULL;
}

static struct value *add_value(struct sk_table *values, struct sk_slice bytes, uint64_t hash)
{
    struct value *value = malloc(sizeof(*value) + bytes.len);
    if (value) {
        *value = (struct value){.len = (uint16_t)bytes.len};
        memcpy(value->bytes, bytes.data, bytes.len);
    }
    if (value && sk_table_add(values, &value->node, hash)) {
        free(value);
        value = NULL;
    }
    return value;
}

static int add_values(struct tenant *tenant, const struct sk_audit_record *record, uint32_t row)
{
    uint8_t made[SK_TERM_VALUE];
    int r = 0;
    for (unsigned field = 1; r == 0 && field < SK_TERM_COUNT; field++) {
        struct sk_slice bytes = sk_slice_cut(sk_term_value(record, (enum sk_term_field)field, made), SK_TERM_VALUE);
        uint64_t hash = bytes.len ? sk_table_hash(bytes) : 0;
        if (bytes.len) {
            struct value *value = find_value(&tenant->values[field], bytes, hash);
            value = value ? value : add_value(&tenant->values[field], bytes, hash);
            r = value ? value_add(value, row) : -ENOMEM;
        }
    }
    return r;
}

static int make_room(struct tenant *tenant)
{
    if (tenant->part.rows < tenant->room) {
        return 0;
    }
    uint32_t room = tenant->room ? 2 * tenant->room : 64;
    struct row *rows = room <= UINT32_MAX / 2 ? reallocarray(tenant->rows, room, sizeof(*rows)) : NULL;
    if (!rows) {
        return -ENOMEM;
    }
    tenant->rows = rows;
    tenant->room = room;
    return 0;
}

static int live_select(const struct part *part, enum sk_term_field field, struct sk_slice low, struct sk_slice high, roaring_bitmap_t *rows);
static int live_time(const struct part *part, uint32_t row, uint64_t *time);
static int live_place(const struct part *part, uint32_t row, uint64_t *place);
static const struct part_kind live_kind = {live_select, live_time, live_place};

static struct tenant *add_tenant(struct live *live, const struct sk_frame_record *frame)
{
    struct tenant *tenant = calloc(1, sizeof(*tenant));
    if (!tenant) {
        return NULL;
    }
    tenant->part = (struct part){.kind = &live_kind, .file = live->file, .seq = frame->seq, .ordered = true};
    memcpy(tenant->id, frame->tenant, SK_ID_SIZE);
    if (sk_table_add(&live->tenants, &tenant->node, sk_table_hash(sk_slice(frame->tenant, SK_ID_SIZE)))) {
        free(tenant);
        return NULL;
    }
    return tenant;
}

int live_add(struct live *live, const struct sk_journal_read *read)
{
    struct tenant *tenant = find_tenant(live, read->frame->tenant);
    tenant = tenant ? tenant : add_tenant(live, read->frame);
    int r = tenant ? make_room(tenant) : -ENOMEM;
    r = r ? r : add_values(tenant, read->record, tenant->part.rows);
    if (r) {
        return r;
    }
    struct part *part = &tenant->part;
    uint64_t time = read->record->wall / SK_MILLISECOND;
    part->ordered = part->ordered && (part->rows == 0 || time >= tenant->rows[part->rows - 1].time);
    part->first = part->rows == 0 || time < part->first ? time : part->first;
    part->last = time > part->last ? time : part->last;
    tenant->rows[part->rows++] = (struct row){time, read->at};
    return 0;
}

/* ---- searching ---- */

static void put_rows(const struct value *value, roaring_bitmap_t *rows)
{
    if (value->count > INLINE) {
        roaring_bitmap_or_inplace(rows, value->in.many);
    } else {
        roaring_bitmap_add_many(rows, value->count, value->in.rows);
    }
}

static int live_select(const struct part *part, enum sk_term_field field, struct sk_slice low, struct sk_slice high, roaring_bitmap_t *rows)
{
    const struct sk_table *values = &SK_CONTAINER(part, struct tenant, part)->values[field];
    if (sk_slice_eq(low, high)) {
        const struct value *value = find_value(values, low, sk_table_hash(low));
        if (value) {
            put_rows(value, rows);
        }
        return 0;
    }
    for (struct sk_table_node *n = sk_table_walk(values, NULL); n; n = sk_table_walk(values, n)) {
        const struct value *value = SK_CONTAINER(n, struct value, node);
        struct sk_slice bytes = sk_slice(value->bytes, value->len);
        if (sk_term_compare(bytes, low) >= 0 && sk_term_compare(bytes, high) <= 0) {
            put_rows(value, rows);
        }
    }
    return 0;
}

static int live_time(const struct part *part, uint32_t row, uint64_t *time)
{
    *time = SK_CONTAINER(part, struct tenant, part)->rows[row].time;
    return 0;
}

static int live_place(const struct part *part, uint32_t row, uint64_t *place)
{
    *place = SK_CONTAINER(part, struct tenant, part)->rows[row].place;
    return 0;
}
