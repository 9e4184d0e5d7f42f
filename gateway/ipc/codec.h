/*
 * Messages between processes. Each interface is one table (auth.h, store.h, …) from which the structs, the codecs
 * and the right to send are generated. On the wire a message is a 16-bit code, then its fields in order: numbers as
 * eight bytes, identifiers as sixteen, texts as a 32-bit length and bytes, each text bounded by its own limit.
 * No struct is ever copied as bytes; what does not decode exactly is refused.
 */
#pragma once

#include "sekisho/audit.h"
#include "sekisho/error.h"
#include "sekisho/slice.h"

#define SK_IPC_MESSAGE_MAX ((size_t)64 << 10)
#define SK_IPC_FDS_MAX 8

enum sk_ipc_field_type { SK_IPC_NUMBER, SK_IPC_ID, SK_IPC_TEXT };

/* Members follow one another in the struct as in the table: numbers take 8 bytes of it, the others 16. */
struct sk_ipc_field {
    enum sk_ipc_field_type type;
    uint32_t most; /* bytes of a text */
};

struct sk_ipc_layout {
    uint16_t code;
    uint8_t sender;  /* which side may send it, a bit of the interface's own */
    uint8_t fds;     /* descriptors it carries, exactly */
    uint16_t fields_count;
    const struct sk_ipc_field *fields;
    const char *name;
};

struct sk_ipc_interface {
    const char *name;
    const struct sk_ipc_layout *layouts;
    size_t layouts_count;
};

/* Any decoded message: the longest struct of any interface fits. */
union sk_ipc_any {
    max_align_t align;
    uint8_t bytes[512];
};

/* Length, or -EMSGSIZE when a text is over its limit or the whole over `size`, -ENOENT for an unknown code. */
int sk_ipc_encode(const struct sk_ipc_interface *interface, uint16_t code, const void *message, uint8_t *out, size_t size) sk_nodiscard;

/*
 * Decodes a message that `sender` may send. Texts point into `bytes`. 0, with `layout` set; 1 when it is malformed,
 * unknown, or not permitted from that side.
 */
int sk_ipc_decode(const struct sk_ipc_interface *interface, uint8_t sender, struct sk_slice bytes, union sk_ipc_any *message,
        const struct sk_ipc_layout **layout) sk_nodiscard;
