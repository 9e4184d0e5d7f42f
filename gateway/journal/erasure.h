/*
 * The certificate of erasure: what a tenant's trail was, and that the key of all that was recorded in it is no more; a signed note, as a checkpoint is,
 * whose text begins otherwise. FORMAT.md is the text of record.
 */
#pragma once

#include "journal/checkpoint.h"

#define SK_ERASURE_NAME 130U /* bytes of NAME@SERVICE, with a NUL */
#define SK_ERASURE_TEXT (SK_CHECKPOINT_TEXT + 200U)
#define SK_ERASURE_NOTE ((size_t)1024) /* most bytes of a note */
#define SK_ERASURE_BEGINS "sekisho-erasure/"

struct sk_erasure {
    struct sk_checkpoint was; /* how far the trail went; its time: when the certificate was made */
    char contract[SK_ERASURE_NAME];
};

/* 0 or negative. */
int sk_erasure_put(const struct sk_erasure *erasure, struct sk_buf *out) sk_nodiscard;
/* 0; 1 anything that sk_erasure_put does not write. */
int sk_erasure_get(struct sk_slice text, struct sk_erasure *erasure) sk_nodiscard;
/* "erasure-TENANT-SIZE": the file's name; `out` holds 80. */
void sk_erasure_file(const struct sk_erasure *erasure, char out[80]);
