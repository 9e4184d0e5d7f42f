/*
 * The form in which passwords are hashed, and whether one may be chosen: SP 800-63B-4 section 3.1.1.2. Long enough, text, and not what
 * others try first. No rule says which characters it must have. Pure.
 *
 * What others try first: a word of the blocklist (about 80,000: passwords that leaked most, words, names), also in other case
 * or with digits and signs around it; fewer than four different characters; a run such as 123456… or abcdef…, or a few characters over and over; and a word of the
 * context, the tenant's or the user's own name say, with less than four letters beside it.
 */
#pragma once

#include "sekisho/error.h"
#include "sekisho/slice.h"

#define SK_PASSWORD_MAX 1024U  /* bytes */
#define SK_PASSWORD_ALONE 15U  /* characters, where nothing else is proven */
#define SK_PASSWORD_SECOND 8U  /* with a second factor */

/* The reasons are stable: pages and records know them. */
#define SK_PASSWORD_FAULTS(F)                                                                                \
    F(SHORT, "password-too-short")                                                                           \
    F(LONG, "password-too-long")                                                                             \
    F(NO_TEXT, "password-not-text") /* not UTF-8, or a control character or one that Unicode does not know in it */ \
    F(COMMON, "password-common")                                                                             \
    F(CONTEXT, "password-context")

#define SK_PASSWORD_FAULT(NAME, text) SK_PASSWORD_##NAME,
enum sk_password_fault { SK_PASSWORD_GOOD, SK_PASSWORD_FAULTS(SK_PASSWORD_FAULT) };

/*
 * What was typed as NFC (Unicode Standard Annex 15): two keyboards that spell the same text differently send the same password. Whoever
 * hashes a password, or compares one with a hash, takes this form of it. ASCII is its own. 0; 1 when it is not UTF-8; 2 when either is
 * longer than SK_PASSWORD_MAX.
 */
int sk_password_normal(struct sk_slice typed, char out[SK_PASSWORD_MAX], size_t *len) sk_nodiscard;

/* `typed` is judged in its normal form. `least`: characters (code points). `context`: words, one a line; those of less than four letters do not count. */
enum sk_password_fault sk_password_check(struct sk_slice password, size_t least, struct sk_slice context);
/* Empty for a good one. */
const char *sk_password_reason(enum sk_password_fault fault);
