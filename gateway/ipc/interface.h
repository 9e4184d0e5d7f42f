/*
 * Generates an interface from its table. A table is
 *   #define SK_X_MESSAGES(M) M(X_NAME, x_name, code, sender, fds, FIELDS) …
 * and FIELDS a macro of three macros: U(name) number, I(name) identifier, T(name, most) text.
 * SK_IPC_DECLARE gives struct sk_x_name and the code SK_X_NAME for each message, and sk_x_interface;
 * SK_IPC_DEFINE, in messages.c alone, gives the layouts behind them.
 */
#pragma once

#include "ipc/codec.h"

#define SK_IPC_STRUCT_U(name) uint64_t name;
#define SK_IPC_STRUCT_I(name) uint8_t name[SK_ID_SIZE];
#define SK_IPC_STRUCT_T(name, most) struct sk_slice name;
#define SK_IPC_STRUCT(NAME, name, code, sender, fds, FIELDS)                                                 \
    struct sk_##name {                                                                                       \
        FIELDS(SK_IPC_STRUCT_U, SK_IPC_STRUCT_I, SK_IPC_STRUCT_T)                                            \
    };                                                                                                       \
    _Static_assert(sizeof(struct sk_##name) <= sizeof(union sk_ipc_any), "too many fields");

#define SK_IPC_CODE(NAME, name, code, sender, fds, FIELDS) SK_##NAME = (code),

#define SK_IPC_DECLARE(interface, MESSAGES)                                                                  \
    MESSAGES(SK_IPC_STRUCT)                                                                                  \
    enum { MESSAGES(SK_IPC_CODE) };                                                                          \
    extern const struct sk_ipc_interface sk_##interface##_interface;

#define SK_IPC_FIELD_U(name) {SK_IPC_NUMBER, 0},
#define SK_IPC_FIELD_I(name) {SK_IPC_ID, 0},
#define SK_IPC_FIELD_T(name, most) {SK_IPC_TEXT, (most)},
#define SK_IPC_FIELDS(NAME, name, code, sender, fds, FIELDS)                                                 \
    static const struct sk_ipc_field name##_fields[] = {FIELDS(SK_IPC_FIELD_U, SK_IPC_FIELD_I, SK_IPC_FIELD_T)};
#define SK_IPC_LAYOUT(NAME, name, code, sender, fds, FIELDS)                                                 \
    {(code), (sender), (fds), SK_COUNT(name##_fields), name##_fields, #name},

#define SK_IPC_DEFINE(interface, MESSAGES)                                                                   \
    MESSAGES(SK_IPC_FIELDS)                                                                                  \
    static const struct sk_ipc_layout interface##_layouts[] = {MESSAGES(SK_IPC_LAYOUT)};                     \
    const struct sk_ipc_interface sk_##interface##_interface = {                                             \
            #interface, interface##_layouts, SK_COUNT(interface##_layouts)};
