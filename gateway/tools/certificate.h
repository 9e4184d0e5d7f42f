/*
 * Verifying a certificate of erasure (FORMAT.md, "Keeping and erasing"), with nothing but the gateway's public key. Runs in sekisho-verify.
 */
#pragma once

#include "journal/erasure.h"

#include <stdio.h>

/* Does it begin as one? */
bool sk_certificate_is(struct sk_slice file);
/* 0; 1 it is none, or not signed by that key. */
int sk_certificate_verify(struct sk_slice file, const char *vkey, struct sk_erasure *erasure) sk_nodiscard;
/* What it proves. */
void sk_certificate_print(const struct sk_erasure *erasure, bool json, FILE *out);
