/* The record's CBOR and its JSON view. Runs in audit and in the verifier; also in the senders, to hand records over. */
#include "journal/record.h"

#include "base/addr.h"
#include "base/text.h"

/* Every field by its key, in ascending order: the encoder walks it, the decoder looks it up.
 * T text, B bytes, U unsigned, I identifier of 16 bytes. */
#define FIELDS(T, B, U, I)                                                                                   \
    I(2, tenant)                                                                                             \
    U(3, seq)                                                                                                \
    I(4, id)                                                                                                 \
    U(5, wall)                                                                                               \
    U(6, boot)                                                                                               \
    U(9, op)                                                                                                 \
    U(10, stage)                                                                                             \
    U(12, decision)                                                                                          \
    T(13, reason, 64)                                                                                        \
    T(15, rule, 512)                                                                                         \
    T(20, subject, 128)                                                                                      \
    T(22, session, 64)                                                                                       \
    T(23, factors, 128)                                                                                      \
    B(KEY_ADDRESS, address, 16)                                                                              \
    U(32, port)                                                                                              \
    T(33, tls, 128)                                                                                          \
    B(40, request, 16)                                                                                       \
    T(41, method, 32)                                                                                        \
    T(42, host, 255)                                                                                         \
    T(43, path, 1024)                                                                                        \
    T(44, app, 64)                                                                                           \
    T(45, agent, 256)                                                                                        \
    T(46, upstream, 128)                                                                                     \
    U(47, status)                                                                                            \
    U(48, bytes_in)                                                                                          \
    U(49, bytes_out)                                                                                         \
    U(50, duration)                                                                                          \
    T(60, detail, 512)                                                                                       \
    U(70, count)                                                                                             \
    T(90, redacted, 128)

enum { KEY_PLACE = 6, KEY_ADDRESS = 30 }; /* up to the first of these, a record's fields are its place */

enum major { MAJOR_UNSIGNED = 0, MAJOR_BYTES = 2, MAJOR_TEXT = 3, MAJOR_MAP = 5 };

static const uint8_t no_id[SK_ID_SIZE];

struct sk_slice sk_audit_op_text(enum sk_audit_op op)
{
    switch (op) {
#define X(name, code, text)                                                                                  \
    case SK_AUDIT_##name:                                                                                    \
        return SK_LIT(text);
        SK_AUDIT_OPS(X)
#undef X
    }
    return SK_SLICE_NULL;
}

struct sk_slice sk_audit_stage_text(enum sk_audit_stage stage)
{
    switch (stage) {
#define X(name, code, text)                                                                                  \
    case SK_AUDIT_STAGE_##name:                                                                              \
        return SK_LIT(text);
        SK_AUDIT_STAGES(X)
#undef X
    }
    return SK_SLICE_NULL;
}

struct sk_slice sk_audit_decision_text(enum sk_audit_decision decision)
{
    switch (decision) {
#define X(name, code, text)                                                                                  \
    case SK_AUDIT_DECISION_##name:                                                                           \
        return SK_LIT(text);
        SK_AUDIT_DECISIONS(X)
#undef X
    }
    return SK_SLICE_NULL;
}

static uint8_t *put_head(uint8_t *p, enum major major, uint64_t value)
{
    uint8_t top = (uint8_t)((unsigned)major << 5);
    if (value < 24) {
        *p++ = (uint8_t)(top | value);
        return p;
    }
    unsigned bytes = value <= UINT8_MAX ? 1 : value <= UINT16_MAX ? 2 : value <= UINT32_MAX ? 4 : 8;
    *p++ = (uint8_t)(top | (bytes == 1 ? 24 : bytes == 2 ? 25 : bytes == 4 ? 26 : 27));
    for (unsigned shift = bytes * 8; shift > 0;) {
        shift -= 8;
        *p++ = (uint8_t)(value >> shift);
    }
    return p;
}

static uint8_t *put_string(uint8_t *p, unsigned key, enum major major, struct sk_slice s)
{
    p = put_head(p, MAJOR_UNSIGNED, key);
    p = put_head(p, major, s.len);
    memcpy(p, s.data, s.len);
    return p + s.len;
}

/* CBOR text is UTF-8 by definition. What a client sends may not be: it is then stored up to its first bad byte. */
static size_t utf8_prefix(struct sk_slice text, size_t most)
{
    size_t good = 0;
    while (good < text.len) {
        uint64_t eight;
        while (text.len - good >= 8 && most - good >= 8) {
            memcpy(&eight, text.data + good, 8);
            if (eight & UINT64_C(0x8080808080808080)) {
                break;
            }
            good += 8;
        }
        if (good == text.len) {
            break;
        }
        size_t len = (uint8_t)text.data[good] < 0x80 ? 1 : sk_utf8_len(sk_slice_from(text, good));
        if (len == 0 || good + len > most) {
            break;
        }
        good += len;
    }
    return good;
}

/* Notes the name of a cut field, for the reader to know. */
static void note_cut(char *list, size_t size, size_t *len, struct sk_slice name)
{
    if (name.len && *len + name.len + 1 <= size) {
        if (*len) {
            list[(*len)++] = ',';
        }
        memcpy(list + *len, name.data, name.len);
        *len += name.len;
    }
}

/* An address has 4 or 16 bytes, the request id 16. */
static bool bytes_fit(unsigned key, size_t len)
{
    return len == SK_ID_SIZE || (key == KEY_ADDRESS && len == 4);
}

static void fit_bytes(struct sk_slice *bytes, unsigned key, char *cuts, size_t size, size_t *len, const char *name)
{
    if (bytes->len && !bytes_fit(key, bytes->len)) {
        *bytes = SK_SLICE_NULL;
        note_cut(cuts, size, len, sk_slice_str(name));
    }
}

static void fit_text(struct sk_slice *text, size_t most, char *cuts, size_t size, size_t *len, const char *name)
{
    size_t good = utf8_prefix(*text, most);
    if (good < text->len) {
        text->len = good;
        note_cut(cuts, size, len, sk_slice_str(name));
    }
}

size_t sk_record_encode(const struct sk_audit_record *record, uint8_t out[SK_AUDIT_RECORD_MAX])
{
    struct sk_audit_record r = *record;
    char cuts[128];
    size_t cuts_len = 0;
    unsigned fields = 1;
    if (!sk_audit_op_text(r.op).len || !sk_audit_stage_text(r.stage).len || !sk_audit_decision_text(r.decision).len) {
        return 0;
    }
#define T(key, name, most) fit_text(&r.name, (most), cuts, sizeof(cuts), &cuts_len, #name);
#define B(key, name, most) fit_bytes(&r.name, (key), cuts, sizeof(cuts), &cuts_len, #name);
#define U(key, name)
#define I(key, name)
    FIELDS(T, B, U, I)
#undef T
#undef B
#undef U
#undef I
    while (cuts_len && r.redacted.len) {
        struct sk_slice name = sk_slice_split(&r.redacted, ',');
        note_cut(cuts, sizeof(cuts), &cuts_len, name);
    }
    if (cuts_len) {
        r.redacted = sk_slice(cuts, cuts_len);
    }
#define T(key, name, most) fields += r.name.len > 0;
#define B(key, name, most) fields += r.name.len > 0;
#define U(key, name) fields += r.name != 0;
#define I(key, name) fields += memcmp(r.name, no_id, SK_ID_SIZE) != 0;
    FIELDS(T, B, U, I)
#undef T
#undef B
#undef U
#undef I
    uint8_t *p = put_head(out, MAJOR_MAP, fields);
    p = put_head(p, MAJOR_UNSIGNED, 1);
    p = put_head(p, MAJOR_UNSIGNED, SK_AUDIT_VERSION);
#define T(key, name, most) p = r.name.len ? put_string(p, key, MAJOR_TEXT, r.name) : p;
#define B(key, name, most) p = r.name.len ? put_string(p, key, MAJOR_BYTES, r.name) : p;
#define U(key, name) p = r.name ? put_head(put_head(p, MAJOR_UNSIGNED, key), MAJOR_UNSIGNED, (uint64_t)r.name) : p;
#define I(key, name)                                                                                         \
    p = memcmp(r.name, no_id, SK_ID_SIZE) ? put_string(p, key, MAJOR_BYTES, sk_slice(r.name, SK_ID_SIZE)) : p;
    FIELDS(T, B, U, I)
#undef T
#undef B
#undef U
#undef I
    return (size_t)(p - out);
}

/* All fields at their longest. It must fit, so that encoding never has to check. */
#define T(key, name, most) uint8_t name[(most) + 5];
#define B(key, name, most) uint8_t name[(most) + 3];
#define U(key, name) uint8_t name[11];
#define I(key, name) uint8_t name[SK_ID_SIZE + 3];
struct longest {
    uint8_t head[8];
    FIELDS(T, B, U, I)
};
_Static_assert(sizeof(struct longest) <= SK_AUDIT_RECORD_MAX, "a record of longest fields must fit");
#undef T
#undef B
#undef U
#undef I

/* Its place, at its longest. */
struct place {
    uint8_t head[3], version[2], tenant[SK_ID_SIZE + 2], id[SK_ID_SIZE + 2], numbers[3][10];
};

struct reader {
    const uint8_t *p, *end;
};

/* One head in shortest form; strings give their length as value. 0 or 1. */
static int read_head(struct reader *r, enum major *major, uint64_t *value)
{
    if (r->p == r->end) {
        return 1;
    }
    *major = (enum major)(*r->p >> 5);
    unsigned info = *r->p++ & 31U;
    if (info < 24) {
        *value = info;
        return 0;
    }
    if (info > 27) {
        return 1;
    }
    size_t bytes = (size_t)1 << (info - 24);
    if ((size_t)(r->end - r->p) < bytes) {
        return 1;
    }
    uint64_t v = 0;
    for (size_t i = 0; i < bytes; i++) {
        v = v << 8 | *r->p++;
    }
    uint64_t least = bytes == 1 ? 24 : bytes == 2 ? UINT8_MAX + 1U : bytes == 4 ? UINT16_MAX + 1U : UINT64_C(1) << 32;
    *value = v;
    return v < least;
}

struct item {
    enum major major;
    uint64_t number;
    struct sk_slice string;
};

/* An item that a record may hold: unsigned, bytes or text. 0 or 1. */
static int read_item(struct reader *r, struct item *item)
{
    if (read_head(r, &item->major, &item->number)) {
        return 1;
    }
    if (item->major == MAJOR_UNSIGNED) {
        return 0;
    }
    if ((item->major != MAJOR_TEXT && item->major != MAJOR_BYTES) || item->number > (uint64_t)(r->end - r->p)) {
        return 1;
    }
    item->string = sk_slice(r->p, (size_t)item->number);
    r->p += item->number;
    return item->major == MAJOR_TEXT && utf8_prefix(item->string, item->string.len) != item->string.len;
}

static int set_number(uint64_t value, uint64_t most, uint64_t *to)
{
    *to = value;
    return value == 0 || value > most;
}

static int set_field(struct sk_audit_record *record, uint64_t key, const struct item *item)
{
    uint64_t number = 0;
    switch (key) {
#define T(key, name, most)                                                                                   \
    case key:                                                                                                \
        record->name = item->string;                                                                         \
        return item->major != MAJOR_TEXT || item->string.len == 0 || item->string.len > (most);
#define B(key, name, most)                                                                                   \
    case key:                                                                                                \
        record->name = item->string;                                                                         \
        return item->major != MAJOR_BYTES || !bytes_fit(key, item->string.len);
#define U(key, name)                                                                                         \
    case key:                                                                                                \
        if (item->major != MAJOR_UNSIGNED ||                                                                 \
                set_number(item->number, sizeof(record->name) == 2 ? UINT16_MAX : sizeof(record->name) == 4 ? INT32_MAX : UINT64_MAX, &number)) { \
            return 1;                                                                                        \
        }                                                                                                    \
        record->name = (__typeof__(record->name))number;                                                     \
        return 0;
#define I(key, name)                                                                                         \
    case key:                                                                                                \
        if (item->major != MAJOR_BYTES || item->string.len != SK_ID_SIZE ||                                  \
                memcmp(item->string.data, no_id, SK_ID_SIZE) == 0) {                                         \
            return 1;                                                                                        \
        }                                                                                                    \
        memcpy(record->name, item->string.data, SK_ID_SIZE);                                                 \
        return 0;
        FIELDS(T, B, U, I)
#undef T
#undef B
#undef U
#undef I
    default:
        return 0;
    }
}

/* Behind the head of any item of definite length: how many bytes its string takes, and how many items follow that are part of it. 0 or 1. */
static int skip_head(struct reader *r, uint64_t *string, uint64_t *items)
{
    unsigned major = *r->p >> 5, info = *r->p & 31U;
    size_t bytes = info < 24 ? 0 : (size_t)1 << (info - 24);
    uint64_t value = info;
    if (info > 27 || (size_t)(r->end - r->p) < bytes + 1) {
        return 1;
    }
    for (size_t i = 0; i < bytes; i++) {
        value = (i ? value << 8 : 0) | r->p[i + 1];
    }
    r->p += bytes + 1;
    *string = major == 2 || major == 3 ? value : 0;
    *items = major == 4 ? value : major == 5 ? 2 * value : major == 6;
    return major == 5 && value > UINT32_MAX; /* no more items than bytes can be there */
}

size_t sk_record_length(struct sk_slice bytes)
{
    struct reader r = {(const uint8_t *)bytes.data, (const uint8_t *)bytes.data + bytes.len};
    uint64_t string, items;
    for (uint64_t left = 1; left; left--) {
        if (r.p == r.end || skip_head(&r, &string, &items) || string > (uint64_t)(r.end - r.p) || items > (uint64_t)(r.end - r.p)) {
            return 0;
        }
        r.p += string;
        left += items;
    }
    return (size_t)(r.p - (const uint8_t *)bytes.data);
}

int sk_record_decode(struct sk_slice bytes, struct sk_audit_record *record)
{
    enum major major;
    uint64_t fields, key, before = 0;
    memset(record, 0, sizeof(*record));
    if (bytes.len == 0 || bytes.len > SK_AUDIT_RECORD_MAX) {
        return 1;
    }
    struct reader r = {(const uint8_t *)bytes.data, (const uint8_t *)bytes.data + bytes.len};
    if (read_head(&r, &major, &fields) || major != MAJOR_MAP) {
        return 1;
    }
    for (uint64_t i = 0; i < fields; i++) {
        struct item item = {0};
        if (read_head(&r, &major, &key) || major != MAJOR_UNSIGNED || key <= before || read_item(&r, &item)) {
            return 1;
        }
        before = key;
        bool bad = key == 1 ? item.major != MAJOR_UNSIGNED || item.number != SK_AUDIT_VERSION
                            : set_field(record, key, &item) != 0;
        if (bad || (i == 0 && key != 1)) {
            return 1;
        }
    }
    bool known = sk_audit_op_text(record->op).len && sk_audit_stage_text(record->stage).len &&
                 sk_audit_decision_text(record->decision).len;
    return r.p != r.end || !known;
}

size_t sk_record_place(const struct sk_audit_record *record, struct sk_slice sent, uint8_t out[SK_AUDIT_RECORD_MAX])
{
    const uint64_t numbers[][2] = {{3, record->seq}, {5, record->wall}, {6, record->boot}};
    const bool has_tenant = memcmp(record->tenant, no_id, SK_ID_SIZE) != 0, has_id = memcmp(record->id, no_id, SK_ID_SIZE) != 0;
    struct reader r = {(const uint8_t *)sent.data, (const uint8_t *)sent.data + sent.len}, behind;
    enum major major;
    uint64_t fields = 0, key = 0;
    struct item item;
    (void)read_head(&r, &major, &fields);
    for (behind = r; fields && read_head(&r, &major, &key) == 0 && key <= KEY_PLACE && read_item(&r, &item) == 0; behind = r) {
        fields--;
    }
    size_t rest = (size_t)(behind.end - behind.p);
    uint64_t before = 1U + has_tenant + has_id;
    for (size_t i = 0; i < SK_COUNT(numbers); i++) {
        before += numbers[i][1] != 0;
    }
    if (rest > SK_AUDIT_RECORD_MAX - sizeof(struct place)) {
        return 0;
    }
    uint8_t *p = put_head(out, MAJOR_MAP, before + fields);
    p = put_head(put_head(p, MAJOR_UNSIGNED, 1), MAJOR_UNSIGNED, SK_AUDIT_VERSION);
    p = has_tenant ? put_string(p, 2, MAJOR_BYTES, sk_slice(record->tenant, SK_ID_SIZE)) : p;
    for (size_t i = 0; i < SK_COUNT(numbers); i++) {
        p = numbers[i][1] ? put_head(put_head(p, MAJOR_UNSIGNED, numbers[i][0]), MAJOR_UNSIGNED, numbers[i][1]) : p;
        p = i == 0 && has_id ? put_string(p, 4, MAJOR_BYTES, sk_slice(record->id, SK_ID_SIZE)) : p;
    }
    memcpy(p, behind.p, rest);
    return (size_t)(p - out) + rest;
}

static int json_text(struct sk_buf *out, const char *name, struct sk_slice text)
{
    if (text.len == 0) {
        return 0;
    }
    int r = sk_buf_printf(out, ",\"%s\":", name);
    return r ? r : sk_json_put_string(out, text);
}

static int json_number(struct sk_buf *out, const char *name, uint64_t number)
{
    return number ? sk_buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)number) : 0;
}

static int json_hex(struct sk_buf *out, const char *name, const void *bytes, size_t len)
{
    char hex[2 * SK_ID_SIZE + 1];
    sk_hex_encode(bytes, len > SK_ID_SIZE ? SK_ID_SIZE : len, hex);
    return len ? sk_buf_printf(out, ",\"%s\":\"%s\"", name, hex) : 0;
}

static int json_address(const struct sk_audit_record *record, struct sk_buf *out)
{
    struct sk_addr addr = {.family = record->address.len == 4 ? SK_FAMILY_V4 : SK_FAMILY_V6};
    char text[SK_ADDR_TEXT];
    if (record->address.len == 0) {
        return 0;
    }
    memcpy(addr.bytes, record->address.data, record->address.len > 16 ? 16 : record->address.len);
    (void)sk_addr_text(&addr, text);
    int r = json_text(out, "address", sk_slice_str(text));
    return r ? r : json_number(out, "port", record->port);
}

int sk_record_json(const struct sk_audit_record *record, struct sk_buf *out)
{
    const struct {
        const char *name;
        struct sk_slice text;
    } before[] = {{"op", sk_audit_op_text(record->op)}, {"stage", sk_audit_stage_text(record->stage)},
            {"decision", sk_audit_decision_text(record->decision)}, {"reason", record->reason}, {"rule", record->rule},
            {"subject", record->subject}, {"session", record->session}, {"factors", record->factors}},
      after[] = {{"tls", record->tls}, {"method", record->method}, {"host", record->host}, {"path", record->path},
              {"app", record->app}, {"agent", record->agent}, {"upstream", record->upstream},
              {"detail", record->detail}, {"redacted", record->redacted}};
    const struct {
        const char *name;
        uint64_t number;
    } numbers[] = {{"status", record->status}, {"bytes_in", record->bytes_in}, {"bytes_out", record->bytes_out},
            {"duration_us", record->duration / 1000}, {"count", record->count}};
    char time[32];
    sk_time_text(record->wall, time);
    int r = sk_buf_printf(out, "{\"time\":\"%s\",\"seq\":%llu", time, (unsigned long long)record->seq);
    r = r ? r : json_hex(out, "tenant_id", record->tenant, SK_ID_SIZE);
    r = r ? r : json_hex(out, "id", record->id, SK_ID_SIZE);
    for (size_t i = 0; r == 0 && i < SK_COUNT(before); i++) {
        r = json_text(out, before[i].name, before[i].text);
    }
    r = r ? r : json_address(record, out);
    r = r ? r : json_hex(out, "request", record->request.data, record->request.len);
    for (size_t i = 0; r == 0 && i < SK_COUNT(after); i++) {
        r = json_text(out, after[i].name, after[i].text);
    }
    for (size_t i = 0; r == 0 && i < SK_COUNT(numbers); i++) {
        r = json_number(out, numbers[i].name, numbers[i].number);
    }
    return r ? r : sk_buf_put(out, SK_LIT("}"));
}
