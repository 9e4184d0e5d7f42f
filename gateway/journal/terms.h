/*
 * What a search may ask of a record, and how its fields compare: each field's value is a string of bytes, and a term names the least and the
 * greatest that are meant. Between the worker that reads a question, who indexes records by it, and who answers it. Pure.
 */
#pragma once

#include "base/buf.h"
#include "sekisho/audit.h"

/*
 * X(name, code, text): a field, and its name in a query. Texts compare by their bytes; numbers as two bytes, the high one first; an address as its
 * family, 4 or 6, and its bytes. Codes stand in index files.
 */
#define SK_TERM_FIELDS(X)                                                                                    \
    X(SUBJECT, 1, "subject")                                                                                 \
    X(ADDRESS, 2, "address")                                                                                 \
    X(SESSION, 3, "session")                                                                                 \
    X(REQUEST, 4, "request")                                                                                 \
    X(OP, 5, "op")                                                                                           \
    X(STAGE, 6, "stage")                                                                                     \
    X(DECISION, 7, "decision")                                                                               \
    X(REASON, 8, "reason")                                                                                   \
    X(APP, 9, "app")                                                                                         \
    X(METHOD, 10, "method")                                                                                  \
    X(HOST, 11, "host")                                                                                      \
    X(PATH, 12, "path")                                                                                      \
    X(STATUS, 13, "status")

enum sk_term_field {
    SK_TERM_NONE,
#define X(name, code, text) SK_TERM_##name = (code),
    SK_TERM_FIELDS(X)
#undef X
            SK_TERM_COUNT
};

#define SK_TERM_VALUE ((size_t)1024) /* bytes of a value; one that is longer is cut */

struct sk_term {
    enum sk_term_field field;
    struct sk_slice low, high; /* at most SK_TERM_VALUE bytes each; both are meant, too */
};

/* The record's value of this field; without bytes when it has none. It stands in the record, or in `made`. */
struct sk_slice sk_term_value(const struct sk_audit_record *record, enum sk_term_field field, uint8_t made[SK_TERM_VALUE]);
/* By bytes, a shorter one before what it begins: less than, equal to or greater than 0. */
int sk_term_compare(struct sk_slice a, struct sk_slice b);

/*
 * What somebody wrote: a value; for a text also its beginning, with a star behind it; for an address a CIDR prefix, for a status its class
 * ("5xx"). `made` holds what the term points to. 0; 1 it is no value of that field.
 */
int sk_term_read(enum sk_term_field field, struct sk_slice text, uint8_t made[2 * SK_TERM_VALUE + 2], struct sk_term *term) sk_nodiscard;
/* The field of that name, or SK_TERM_NONE. */
enum sk_term_field sk_term_field(struct sk_slice name);

/* A term among others in one text, for the message that carries a question. 0 or negative. */
int sk_term_put(struct sk_buf *terms, const struct sk_term *term) sk_nodiscard;
/* Takes the next one; it borrows. 0; 1 malformed: a request has one value, and that is whole. */
int sk_term_next(struct sk_slice *terms, struct sk_term *term) sk_nodiscard;

/* Is this record what the terms ask for? Those of one field are alternatives; all fields must hold. No record is what malformed terms ask for. */
bool sk_terms_match(struct sk_slice terms, const struct sk_audit_record *record);
