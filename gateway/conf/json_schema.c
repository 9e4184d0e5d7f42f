/*
 * The schemas as JSON Schema, made of the same tables that files are read with: what it takes, they take. Pure. What a
 * table may say and this could not is an error, not left out. It is stricter where libcyaml is lax: a number is no text
 * that begins with one, and no value is empty.
 */
#include "conf/yaml.h"

#include "base/text.h"

#include <errno.h>

static int put_value(struct sk_buf *out, const cyaml_schema_value_t *value);

/* Text may look like a number or a boolean: "name: 2026" is the text "2026". */
static int put_text(struct sk_buf *out, const cyaml_schema_value_t *value)
{
    if (value->string.min != 0 || value->string.max != CYAML_UNLIMITED) {
        return -ENOTSUP; /* counts bytes */
    }
    return sk_buf_put(out, SK_LIT("{\"type\":[\"string\",\"number\",\"boolean\"]}"));
}

/* At most what readers of JSON hold exactly. */
static int put_number(struct sk_buf *out, const cyaml_schema_value_t *value)
{
    unsigned bits = value->data_size * 8 < 53 ? value->data_size * 8 : 53;
    return sk_buf_printf(out, "{\"type\":\"integer\",\"minimum\":0,\"maximum\":%llu}", (1ULL << bits) - 1);
}

/* The words true and false are booleans for who reads YAML without a table. */
static int put_words(struct sk_buf *out, const cyaml_schema_value_t *value)
{
    if (!(value->flags & CYAML_FLAG_STRICT)) {
        return -ENOTSUP; /* takes numbers, too */
    }
    int r = sk_buf_put(out, SK_LIT("{\"enum\":["));
    for (uint32_t i = 0; r == 0 && i < value->enumeration.count; i++) {
        struct sk_slice word = sk_slice_str(value->enumeration.strings[i].str);
        bool plain = sk_slice_eq(word, SK_LIT("true")) || sk_slice_eq(word, SK_LIT("false"));
        r = i ? sk_buf_put(out, SK_LIT(",")) : 0;
        r = r ? r : plain ? sk_buf_put(out, word) : sk_json_put_string(out, word);
    }
    return r ? r : sk_buf_put(out, SK_LIT("]}"));
}

/* NOLINTBEGIN(misc-no-recursion): the tables are constants of this program, a few levels deep */

static int put_sequence(struct sk_buf *out, const cyaml_schema_value_t *value)
{
    int r = sk_buf_put(out, SK_LIT("{\"type\":\"array\",\"items\":"));
    r = r ? r : put_value(out, value->sequence.entry);
    if (r == 0 && value->sequence.min) {
        r = sk_buf_printf(out, ",\"minItems\":%u", value->sequence.min);
    }
    if (r == 0 && value->sequence.max != CYAML_UNLIMITED) {
        r = sk_buf_printf(out, ",\"maxItems\":%u", value->sequence.max);
    }
    return r ? r : sk_buf_put(out, SK_LIT("}"));
}

static int put_flags(struct sk_buf *out, const cyaml_schema_value_t *value)
{
    int r = sk_buf_put(out, SK_LIT("{\"type\":\"array\",\"items\":"));
    r = r ? r : put_words(out, value);
    return r ? r : sk_buf_put(out, SK_LIT("}"));
}

/* The members of a mapping's JSON object, for whoever opened it. */
static int put_members(struct sk_buf *out, const cyaml_schema_value_t *value)
{
    int r = sk_buf_put(out, SK_LIT("\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"));
    for (const cyaml_schema_field_t *field = value->mapping.fields; r == 0 && field->key; field++) {
        r = field == value->mapping.fields ? 0 : sk_buf_put(out, SK_LIT(","));
        r = r ? r : sk_json_put_string(out, sk_slice_str(field->key));
        r = r ? r : sk_buf_put(out, SK_LIT(":"));
        r = r ? r : put_value(out, &field->value);
    }
    r = r ? r : sk_buf_put(out, SK_LIT("},\"required\":["));
    bool first = true;
    for (const cyaml_schema_field_t *field = value->mapping.fields; r == 0 && field->key; field++) {
        if (!(field->value.flags & CYAML_FLAG_OPTIONAL)) {
            r = first ? 0 : sk_buf_put(out, SK_LIT(","));
            r = r ? r : sk_json_put_string(out, sk_slice_str(field->key));
            first = false;
        }
    }
    return r ? r : sk_buf_put(out, SK_LIT("]"));
}

static int put_value(struct sk_buf *out, const cyaml_schema_value_t *value)
{
    switch (value->type) {
    case CYAML_STRING:
        return put_text(out, value);
    case CYAML_UINT:
        return put_number(out, value);
    case CYAML_ENUM:
        return put_words(out, value);
    case CYAML_FLAGS:
        return put_flags(out, value);
    case CYAML_SEQUENCE:
        return put_sequence(out, value);
    case CYAML_MAPPING: {
        int r = sk_buf_put(out, SK_LIT("{"));
        r = r ? r : put_members(out, value);
        return r ? r : sk_buf_put(out, SK_LIT("}"));
    }
    default:
        return -ENOTSUP;
    }
}

/* NOLINTEND(misc-no-recursion) */

int sk_conf_json_schema(bool tenant, struct sk_buf *out)
{
    int r = sk_buf_printf(out, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"title\":\"%s\",\"description\":\"%s\",",
            tenant ? "Sekisho tenant file" : "sekisho.yaml",
            tenant ? "One customer contract: hosts, apps, networks, roles, users. The man page sekisho-tenant(5) explains each key."
                   : "The gateway's one configuration file. The man page sekisho.yaml(5) explains each key.");
    r = r ? r : put_members(out, tenant ? &sk_conf_tenant_schema : &sk_conf_schema);
    return r ? r : sk_buf_put(out, SK_LIT("}"));
}
