/* The message codec. Every process. */
#include "ipc/codec.h"

#include <errno.h>

static const struct sk_ipc_layout *find(const struct sk_ipc_interface *interface, uint16_t code)
{
    for (size_t i = 0; i < interface->layouts_count; i++) {
        if (interface->layouts[i].code == code) {
            return &interface->layouts[i];
        }
    }
    return NULL;
}

static void put(uint8_t *p, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        p[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t get(const uint8_t *p, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t)p[i] << (8 * i);
    }
    return value;
}

_Static_assert(sizeof(struct sk_slice) == 16 && SK_ID_SIZE == 16, "members follow one another without gaps");

/* Bytes of one field in the struct. */
static size_t member_size(const struct sk_ipc_field *field)
{
    return field->type == SK_IPC_NUMBER ? 8 : 16;
}

/* Bytes of one field on the wire; SIZE_MAX when over its limit. */
static size_t field_size(const struct sk_ipc_field *field, const void *at)
{
    if (field->type == SK_IPC_TEXT) {
        const struct sk_slice *text = at;
        return text->len > field->most ? SIZE_MAX : text->len + 4;
    }
    return field->type == SK_IPC_ID ? SK_ID_SIZE : 8;
}

int sk_ipc_encode(const struct sk_ipc_interface *interface, uint16_t code, const void *message, uint8_t *out, size_t size)
{
    const struct sk_ipc_layout *layout = find(interface, code);
    size_t used = 2;
    if (!layout) {
        return -ENOENT;
    }
    if (size < used) {
        return -EMSGSIZE;
    }
    put(out, code, 2);
    const uint8_t *at = message;
    for (size_t i = 0; i < layout->fields_count; at += member_size(&layout->fields[i++])) {
        const struct sk_ipc_field *field = &layout->fields[i];
        size_t need = field_size(field, at);
        if (need > size - used) {
            return -EMSGSIZE;
        }
        if (field->type == SK_IPC_TEXT) {
            const struct sk_slice *text = (const void *)at;
            put(out + used, text->len, 4);
            if (text->len) {
                memcpy(out + used + 4, text->data, text->len);
            }
        } else if (field->type == SK_IPC_ID) {
            memcpy(out + used, at, SK_ID_SIZE);
        } else {
            put(out + used, *(const uint64_t *)(const void *)at, 8);
        }
        used += need;
    }
    return (int)used;
}

/* Takes one field off the bytes; 0 or 1. */
static int take_field(const struct sk_ipc_field *field, struct sk_slice *rest, void *at)
{
    const uint8_t *p = (const uint8_t *)rest->data;
    size_t fixed = field->type == SK_IPC_TEXT ? 4 : field->type == SK_IPC_ID ? SK_ID_SIZE : 8;
    if (rest->len < fixed) {
        return 1;
    }
    size_t len = 0;
    if (field->type == SK_IPC_TEXT) {
        len = (size_t)get(p, 4);
        if (len > field->most || len > rest->len - fixed) {
            return 1;
        }
        *(struct sk_slice *)at = sk_slice(p + fixed, len);
    } else if (field->type == SK_IPC_ID) {
        memcpy(at, p, SK_ID_SIZE);
    } else {
        *(uint64_t *)at = get(p, 8);
    }
    *rest = sk_slice_from(*rest, fixed + len);
    return 0;
}

int sk_ipc_decode(const struct sk_ipc_interface *interface, uint8_t sender, struct sk_slice bytes, union sk_ipc_any *message,
        const struct sk_ipc_layout **layout)
{
    if (bytes.len < 2) {
        return 1;
    }
    const struct sk_ipc_layout *found = find(interface, (uint16_t)get((const uint8_t *)bytes.data, 2));
    if (!found || !(found->sender & sender)) {
        return 1;
    }
    struct sk_slice rest = sk_slice_from(bytes, 2);
    uint8_t *at = message->bytes;
    for (size_t i = 0; i < found->fields_count; at += member_size(&found->fields[i++])) {
        if (take_field(&found->fields[i], &rest, at)) {
            return 1;
        }
    }
    *layout = found;
    return rest.len != 0;
}
