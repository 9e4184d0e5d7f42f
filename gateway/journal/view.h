/*
 * A record in the forms that security information and event management (SIEM) takes: a syslog message, CEF, OCSF and ECS. Which field stands where is
 * in deploy/siem/README.md. Pure: they allocate nothing but the buffer's bytes, and may run in any process that reads records.
 *
 * Every field is in each form; one that is zero or empty is absent, but for the sequence number and the ids. Time is given in microseconds (CEF and
 * OCSF: in milliseconds), the duration as the form wants it. A number above 2^63 - 1 is given as that, for readers of JSON have no larger one. Nothing
 * in a record can end its field or begin another, and no form has a control character of ASCII in it, so that all may be sent as lines.
 */
#pragma once

#include "base/buf.h"
#include "sekisho/audit.h"

/* The private enterprise number that names our structured data: RFC 5612's for examples. Who has one of his own, writes it here. */
#define SK_VIEW_ENTERPRISE "32473"

#define SK_VIEW_OCSF_VERSION "1.8.0"
#define SK_VIEW_ECS_VERSION "8.17.0"

struct sk_view_context {
    struct sk_slice node;    /* the gateway's host name; never empty */
    struct sk_slice version; /* of the program */
    struct sk_slice tenant;  /* its name for people; empty: not known */
};

/*
 * Each puts one record, as sk_record_decode gives it, without a line end. 0, or negative: -EINVAL when it has no valid op, stage or decision, or
 * an op that no form knows; or what the buffer says, which then holds a part of it.
 */

/*
 * RFC 5424. A transport's framing and meta's sequenceId, which counts what was sent over it, are the sender's to add. There is no timeQuality: a
 * record does not say how right its clock was; the checkpoint over it does. A control character is written as # and three octal digits.
 */
int sk_view_syslog(const struct sk_audit_record *record, const struct sk_view_context *context, struct sk_buf *out) sk_nodiscard;

/* ArcSight's Common Event Format, version 0, without a syslog header. Control characters but line ends are written as in syslog. */
int sk_view_cef(const struct sk_audit_record *record, const struct sk_view_context *context, struct sk_buf *out) sk_nodiscard;

/*
 * One JSON object of the Open Cybersecurity Schema Framework. A class's required attributes are always there: a user whose name is not in the record is
 * "Unknown", and so is the operation of a call without a method.
 */
int sk_view_ocsf(const struct sk_audit_record *record, const struct sk_view_context *context, struct sk_buf *out) sk_nodiscard;

/* One JSON object of the Elastic Common Schema. */
int sk_view_ecs(const struct sk_audit_record *record, const struct sk_view_context *context, struct sk_buf *out) sk_nodiscard;
