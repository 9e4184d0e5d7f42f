/*
 * A record's stored form: deterministic CBOR (RFC 8949 section 4.2), a map with integer keys in ascending order,
 * definite lengths, shortest integers. FORMAT.md lists the keys. Pure; shared by audit and sekisho-verify.
 */
#pragma once

#include "base/buf.h"
#include "sekisho/audit.h"

/*
 * Encodes into `out` (SK_AUDIT_RECORD_MAX bytes). Text fields too long for the whole are cut, longest first, and
 * named in `redacted`. Returns the length; 0 when `record` has no valid op, stage or decision.
 */
size_t sk_record_encode(const struct sk_audit_record *record, uint8_t out[SK_AUDIT_RECORD_MAX]);

/*
 * The same for a record that came encoded and was decoded from `sent`, when nothing in it is another now but tenant, seq, id, wall and boot: what
 * stands behind them is taken as it came. 0 also when it gets too long so; sk_record_encode then cuts it.
 */
size_t sk_record_place(const struct sk_audit_record *record, struct sk_slice sent, uint8_t out[SK_AUDIT_RECORD_MAX]);

/*
 * Strict: anything not in deterministic form, out of range, or trailing is refused. Unknown keys are skipped.
 * Slices of `record` point into `bytes`. 0 or 1.
 */
int sk_record_decode(struct sk_slice bytes, struct sk_audit_record *record) sk_nodiscard;

/* Length of the item at the front of a CBOR sequence, whatever it is, of definite length; 0: there is none. */
size_t sk_record_length(struct sk_slice bytes);

/* Puts the JSON view, one object without a newline. The view is never hashed. 0 or negative. */
int sk_record_json(const struct sk_audit_record *record, struct sk_buf *out) sk_nodiscard;
