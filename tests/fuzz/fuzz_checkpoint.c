/*
 * Any checkpoint is refused or is what is written again, and any block of the signer's file gives a half that lies within it, or nothing. The
 * input is 'T' and a text, 'N' and a note, or 'B' and a block, whose halves get right hashes when its first byte says so.
 */
#include "crypto/digest.h"
#include "crypto/note.h"
#include "journal/checkpoint.h"

#include <stdlib.h>

static void check_text(struct sk_slice text)
{
    struct sk_checkpoint checkpoint;
    struct sk_buf again SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_CHECKPOINT_TEXT);
    if (sk_checkpoint_get(text, &checkpoint) == 0 && (sk_checkpoint_put(&checkpoint, &again) || !sk_slice_eq(sk_buf_peek(&again), text))) {
        abort();
    }
}

/* Nobody else has the key. What is read as a text is one, and can be signed. */
static void check_note(struct sk_slice note)
{
    static const uint8_t secret[SK_NOTE_KEY] = {1};
    struct sk_buf out SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(4 * SK_NOTE_TEXT), vkey SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(1024);
    struct sk_slice text, read = sk_note_text(note);
    struct sk_note_key *key = sk_note_key_new(secret);
    if (!key || sk_note_vkey(key, SK_LIT("fuzz"), &vkey) || sk_note_verify(sk_buf_peek(&vkey), note, &text) == 0) {
        abort();
    }
    if (read.len && read.len <= SK_NOTE_TEXT && (sk_note_sign(key, SK_LIT("fuzz"), read, &out) || sk_note_verify(sk_buf_peek(&vkey), sk_buf_peek(&out), &text) || !sk_slice_eq(text, read))) {
        abort();
    }
    (void)sk_note_verify(note, note, &text);
    (void)sk_note_key_free(key);
    check_text(read);
}

static void check_block(struct sk_slice bytes)
{
    uint8_t block[SK_CHECKPOINTS_BLOCK] = {0}, again[SK_CHECKPOINTS_HALF];
    struct sk_checkpoint_half half;
    unsigned hashed = bytes.len ? (uint8_t)bytes.data[0] : 0;
    bytes = sk_slice_cut(sk_slice_from(bytes, 1), sizeof(block));
    if (bytes.len) {
        memcpy(block, bytes.data, bytes.len);
    }
    for (size_t i = 0; i < 2; i++) {
        uint8_t *at = block + i * SK_CHECKPOINTS_HALF;
        if (hashed >> i & 1) {
            sk_digest_sha256(sk_slice(at, SK_CHECKPOINTS_HALF - SK_SHA256_SIZE), at + SK_CHECKPOINTS_HALF - SK_SHA256_SIZE);
        }
    }
    if (sk_checkpoints_get(block, &half)) {
        return;
    }
    const char *end = (const char *)block + sizeof(block);
    if (half.note.len > SK_CHECKPOINTS_NOTE || half.peaks.len > (size_t)SK_CHECKPOINTS_PEAKS * SK_TREE_HASH || half.note.data < (const char *)block || half.peaks.data + half.peaks.len > end) {
        abort();
    }
    sk_checkpoints_put(&half, again);
    check_note(half.note);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sk_slice rest = sk_slice_from(sk_slice(data, size), 1);
    if (size && data[0] == 'T') {
        check_text(rest);
    } else if (size && data[0] == 'N') {
        check_note(rest);
    } else if (size && data[0] == 'B') {
        check_block(rest);
    }
    return 0;
}
