/*
 * Generates an interface from its table. A table is
 *   #define SK_X_MESSAGES(M) M(NAME, name, code, sender, fds, FIELDS) …
 * SK_IPC_DECLARE in its header gives struct sk_x_name for each message and the codes SK_X_NAME;
 * SK_IPC_DEFINE in messages.c gives the layouts.
 */
#pragma once

#include "ipc/codec.h"

#define SK_IPC_NO_FIELDS(U, I, T)

#define SK_IPC_OFFSET_U(name) {SK_IPC_NUMBER, offsetof(SK_IPC_TYPE, name), 0},
#define SK_IPC_OFFSET_I(name) {SK_IPC_ID, offsetof(SK_IPC_TYPE, name), 0},
#define SK_IPC_OFFSET_T(name, most) {SK_IPC_TEXT, offsetof(SK_IPC_TYPE, name), most},
