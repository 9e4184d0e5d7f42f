/*
 * Signed notes (C2SP signed-note): a text and, behind an empty line, signatures of Ed25519 keys that have names. Whoever has a key's public
 * form, "NAME+HASH+KEY" (a vkey), verifies one with nothing else.
 */
#pragma once

#include "base/buf.h"

#define SK_NOTE_NAME 256U  /* bytes of a name: UTF-8, without space and '+' */
#define SK_NOTE_KEY 32     /* bytes of a private key, and of a public one */
#define SK_NOTE_TEXT ((size_t)65536)

struct sk_note_key; /* a private one */

/* From 32 random bytes, which are all of it. NULL without memory. */
struct sk_note_key *sk_note_key_new(const uint8_t secret[SK_NOTE_KEY]);
struct sk_note_key *sk_note_key_free(struct sk_note_key *key);
/* Its vkey under this name. 0; 1 that is no name; negative. */
int sk_note_vkey(const struct sk_note_key *key, struct sk_slice name, struct sk_buf *out) sk_nodiscard;

/* The same public key's vkey under another name. 0; 1 one of them is none; negative. */
int sk_note_vkey_as(struct sk_slice vkey, struct sk_slice name, struct sk_buf *out) sk_nodiscard;

/*
 * `text`: lines, each with its line feed, none of them empty, without control characters. Puts the note: text, empty line, one signature under this name.
 * 0; 1 that is no such text, or no name; negative.
 */
int sk_note_sign(const struct sk_note_key *key, struct sk_slice name, struct sk_slice text, struct sk_buf *out) sk_nodiscard;
/* What is signed in it, by whomever; the null slice when it is no note. */
struct sk_slice sk_note_text(struct sk_slice note);
/* Is the note signed by this key? Signatures of others beside it do not matter. `text`: what was signed. 0; 1 it is not, or it is no note, or the vkey is none. */
int sk_note_verify(struct sk_slice vkey, struct sk_slice note, struct sk_slice *text) sk_nodiscard;

/*
 * Cosignatures (C2SP tlog-cosignature, cosignature/v1): a witness's word that a checkpoint goes on from all of its log that it has cosigned before, and when
 * it said so. A cosigner's vkey is of another kind than a signer's.
 */
int sk_note_cosigner(const struct sk_note_key *key, struct sk_slice name, struct sk_buf *out) sk_nodiscard;
/* Puts the line alone. `time`: seconds since 1970. 0; 1 that is no text, or no name; negative. */
int sk_note_cosign(const struct sk_note_key *key, struct sk_slice name, struct sk_slice text, uint64_t time, struct sk_buf *out) sk_nodiscard;
/* Is the note cosigned by this cosigner, and when? As sk_note_verify; or -ENOMEM. */
int sk_note_verify_cosigned(struct sk_slice vkey, struct sk_slice note, struct sk_slice *text, uint64_t *time) sk_nodiscard;
