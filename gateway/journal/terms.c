/* Values and terms. Runs in workers, the reader and the tools. */
#include "journal/terms.h"

#include "base/addr.h"
#include "base/text.h"

static struct sk_slice put_number(uint64_t number, uint8_t made[SK_TERM_VALUE])
{
    made[0] = (uint8_t)(number >> 8);
    made[1] = (uint8_t)number;
    return sk_slice(made, 2);
}

static struct sk_slice put_address(enum sk_family family, const void *bytes, uint8_t made[SK_TERM_VALUE])
{
    size_t len = family == SK_FAMILY_V4 ? 4 : 16;
    made[0] = (uint8_t)family;
    memcpy(made + 1, bytes, len);
    return sk_slice(made, len + 1);
}

struct sk_slice sk_term_value(const struct sk_audit_record *r, enum sk_term_field field, uint8_t made[SK_TERM_VALUE])
{
    switch (field) {
    case SK_TERM_SUBJECT:
        return r->subject;
    case SK_TERM_ADDRESS:
        return r->address.len == 4 || r->address.len == 16 ? put_address(r->address.len == 4 ? SK_FAMILY_V4 : SK_FAMILY_V6, r->address.data, made)
                                                           : SK_SLICE_NULL;
    case SK_TERM_SESSION:
        return r->session;
    case SK_TERM_REQUEST:
        return r->request;
    case SK_TERM_OP:
        return put_number(r->op, made);
    case SK_TERM_STAGE:
        return put_number(r->stage, made);
    case SK_TERM_DECISION:
        return put_number(r->decision, made);
    case SK_TERM_REASON:
        return r->reason;
    case SK_TERM_APP:
        return r->app;
    case SK_TERM_METHOD:
        return r->method;
    case SK_TERM_HOST:
        return r->host;
    case SK_TERM_PATH:
        return sk_slice_cut(r->path, SK_TERM_VALUE);
    case SK_TERM_STATUS:
        return r->status ? put_number(r->status, made) : SK_SLICE_NULL;
    default:
        return SK_SLICE_NULL;
    }
}

int sk_term_compare(struct sk_slice a, struct sk_slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* ---- reading ---- */

/* A name among an enumeration's. */
static int read_name(struct sk_slice text, struct sk_slice (*name_of)(unsigned), unsigned most, uint8_t *made, struct sk_term *term)
{
    for (unsigned i = 1; i <= most; i++) {
        if (text.len && sk_slice_eq(text, name_of(i))) {
            term->low = term->high = put_number(i, made);
            return 0;
        }
    }
    return 1;
}

static struct sk_slice op_name(unsigned i)
{
    return sk_audit_op_text((enum sk_audit_op)i);
}

static struct sk_slice stage_name(unsigned i)
{
    return sk_audit_stage_text((enum sk_audit_stage)i);
}

static struct sk_slice decision_name(unsigned i)
{
    return sk_audit_decision_text((enum sk_audit_decision)i);
}

static int read_status(struct sk_slice text, uint8_t *made, struct sk_term *term)
{
    uint64_t number;
    if (text.len == 3 && sk_slice_eq(sk_slice_from(text, 1), SK_LIT("xx")) && text.data[0] >= '1' && text.data[0] <= '9') {
        number = (uint64_t)(text.data[0] - '0') * 100;
        term->low = put_number(number, made);
        term->high = put_number(number + 99, made + 2);
        return 0;
    }
    if (sk_slice_u64(text, 999, &number) || number == 0) {
        return 1;
    }
    term->low = term->high = put_number(number, made);
    return 0;
}

/* An address, or all of a prefix. */
static int read_address(struct sk_slice text, uint8_t *made, struct sk_term *term)
{
    struct sk_cidr cidr;
    uint8_t *high = made + SK_TERM_VALUE;
    if (sk_cidr_parse(text, &cidr)) {
        return 1;
    }
    term->low = put_address((enum sk_family)cidr.addr.family, cidr.addr.bytes, made);
    term->high = put_address((enum sk_family)cidr.addr.family, cidr.addr.bytes, high);
    for (size_t bit = cidr.bits; bit < 8 * (term->high.len - 1); bit++) {
        high[1 + bit / 8] |= (uint8_t)(0x80U >> bit % 8);
    }
    return 0;
}

static int read_text(struct sk_slice text, uint8_t *made, struct sk_term *term)
{
    bool begins = text.len && text.data[text.len - 1] == '*';
    text.len -= begins;
    if (text.len > SK_TERM_VALUE - begins || (text.len == 0 && !begins)) {
        return 1;
    }
    uint8_t *high = made + SK_TERM_VALUE;
    if (text.len) {
        memcpy(made, text.data, text.len);
        memcpy(high, text.data, text.len);
    }
    high[text.len] = 0xff; /* no text has it: what is written is UTF-8 */
    term->low = sk_slice(made, text.len);
    term->high = sk_slice(high, text.len + begins);
    return 0;
}

int sk_term_read(enum sk_term_field field, struct sk_slice text, uint8_t made[2 * SK_TERM_VALUE + 2], struct sk_term *term)
{
    term->field = field;
    switch (field) {
    case SK_TERM_OP:
        return read_name(text, op_name, UINT8_MAX, made, term);
    case SK_TERM_STAGE:
        return read_name(text, stage_name, UINT8_MAX, made, term);
    case SK_TERM_DECISION:
        return read_name(text, decision_name, UINT8_MAX, made, term);
    case SK_TERM_STATUS:
        return read_status(text, made, term);
    case SK_TERM_ADDRESS:
        return read_address(text, made, term);
    case SK_TERM_REQUEST:
        term->low = term->high = sk_slice(made, SK_ID_SIZE);
        return sk_hex_decode(text, made, SK_ID_SIZE);
    case SK_TERM_NONE:
    case SK_TERM_COUNT:
        return 1;
    default:
        return read_text(text, made, term);
    }
}

enum sk_term_field sk_term_field(struct sk_slice name)
{
    static const struct sk_slice names[SK_TERM_COUNT] = {
#define X(NAME, code, text) [code] = {text, sizeof(text) - 1},
            SK_TERM_FIELDS(X)
#undef X
    };
    for (unsigned i = 1; i < SK_TERM_COUNT; i++) {
        if (sk_slice_eq(name, names[i])) {
            return (enum sk_term_field)i;
        }
    }
    return SK_TERM_NONE;
}

/* ---- in a message ---- */

static int put_value(struct sk_buf *terms, struct sk_slice value)
{
    const uint8_t len[2] = {(uint8_t)value.len, (uint8_t)(value.len >> 8)};
    int r = sk_buf_put(terms, sk_slice(len, sizeof(len)));
    return r ? r : sk_buf_put(terms, value);
}

int sk_term_put(struct sk_buf *terms, const struct sk_term *term)
{
    const uint8_t field = (uint8_t)term->field;
    int r = sk_buf_put(terms, sk_slice(&field, 1));
    r = r ? r : put_value(terms, term->low);
    return r ? r : put_value(terms, term->high);
}

static int next_value(struct sk_slice *terms, struct sk_slice *value)
{
    const uint8_t *p = (const uint8_t *)terms->data;
    size_t len = terms->len < 2 ? SIZE_MAX : p[0] + ((size_t)p[1] << 8);
    if (len > SK_TERM_VALUE + 1 || len > terms->len - 2) {
        return 1;
    }
    *value = sk_slice(p + 2, len);
    *terms = sk_slice_from(*terms, 2 + len);
    return 0;
}

int sk_term_next(struct sk_slice *terms, struct sk_term *term)
{
    uint8_t field = terms->len ? (uint8_t)terms->data[0] : 0;
    *terms = sk_slice_from(*terms, 1);
    term->field = (enum sk_term_field)field;
    if (field == 0 || field >= SK_TERM_COUNT || next_value(terms, &term->low) || next_value(terms, &term->high)) {
        return 1;
    }
    return field == SK_TERM_REQUEST && (term->low.len != SK_ID_SIZE || !sk_slice_eq(term->low, term->high));
}

bool sk_terms_match(struct sk_slice terms, const struct sk_audit_record *record)
{
    uint32_t asked = 0, met = 0;
    struct sk_term term;
    uint8_t made[SK_TERM_VALUE];
    while (terms.len) {
        if (sk_term_next(&terms, &term)) {
            return false;
        }
        struct sk_slice value = sk_term_value(record, term.field, made);
        bool its = value.len && sk_term_compare(value, term.low) >= 0 && sk_term_compare(value, term.high) <= 0;
        asked |= 1U << term.field;
        met |= its ? 1U << term.field : 0;
    }
    return asked == met;
}
