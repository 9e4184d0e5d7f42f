/* Sealed records. Runs in audit, and in the tools that read a journal. */
#include "journal/sealed.h"

#include "base/clock.h"

#include <endian.h>
#include <errno.h>

void sk_sealing_free(struct sk_sealing *sealing)
{
    sealing->sealer = sk_sealer_free(sealing->sealer);
    sealing->salt = sk_block_free(sealing->salt);
}

int sk_sealing_set(struct sk_sealing *s, const struct sk_keys *keys, const uint8_t tenant[SK_ID_SIZE], uint32_t day, const uint8_t run[SK_ID_SIZE])
{
    uint8_t key[SK_KEYS_SECRET], salt[SK_KEYS_SECRET];
    if (s->sealer && s->day == day && memcmp(s->run, run, SK_ID_SIZE) == 0) {
        return 0;
    }
    sk_sealing_free(s);
    if (sk_keys_derive(keys, tenant, day, "record", sk_slice(run, SK_ID_SIZE), key) || sk_keys_derive(keys, tenant, day, "salt", SK_SLICE_NULL, salt)) {
        return 1;
    }
    s->salt = sk_block_new(salt);
    s->sealer = s->salt ? sk_sealer_new(key) : NULL;
    sk_wipe(key, sizeof(key));
    sk_wipe(salt, sizeof(salt));
    s->day = day;
    memcpy(s->run, run, SK_ID_SIZE);
    return s->sealer ? 0 : -ENOMEM;
}

int sk_sealed_salt(struct sk_block *block, uint64_t seq, uint8_t salt[SK_BLOCK])
{
    uint8_t place[SK_BLOCK] = {0};
    seq = htole64(seq);
    memcpy(place, &seq, sizeof(seq));
    return sk_block_of(block, place, salt);
}

int sk_sealing_salt(struct sk_sealing *s, uint64_t seq, uint8_t salt[SK_BLOCK])
{
    return sk_sealed_salt(s->salt, seq, salt);
}

static int make_leaf(struct sk_sealing *s, uint64_t seq, struct sk_slice cbor, uint8_t leaf[SK_TREE_HASH])
{
    uint8_t salt[SK_BLOCK];
    int r = sk_sealing_salt(s, seq, salt);
    if (r == 0) {
        sk_tree_leaf(sk_slice(salt, sizeof(salt)), cbor, leaf);
    }
    return r;
}

_Static_assert(SK_SEAL_NONCE <= SK_TREE_HASH, "a leaf begins with its seal's nonce");

/*
 * The nonce is the leaf's beginning: it differs with the record, so that a machine that was set back to a former state, or copied, and that goes on
 * with the same run, does not seal two records with one.
 */
int sk_sealing_seal(struct sk_sealing *s, struct sk_frame_record *frame, struct sk_slice cbor, uint8_t leaf[SK_TREE_HASH], uint8_t *out)
{
    uint8_t *behind = out + SK_FRAME_RECORD_HEADER;
    frame->len = (uint32_t)(cbor.len + SK_SEALED_OVERHEAD);
    frame->kind = SK_FRAME_SEALED;
    int r = make_leaf(s, frame->seq, cbor, leaf);
    sk_frame_put_record(frame, out);
    memcpy(behind, leaf, SK_TREE_HASH);
    return r ? r : sk_sealer_seal(s->sealer, leaf, sk_slice(out, SK_FRAME_RECORD_HEADER), cbor, behind + SK_TREE_HASH);
}

int sk_sealing_open(struct sk_sealing *s, const struct sk_frame_record *frame, struct sk_slice sealed, uint8_t out[SK_AUDIT_RECORD_MAX], size_t *len)
{
    uint8_t header[SK_FRAME_RECORD_HEADER], leaf[SK_TREE_HASH];
    if (sealed.len <= SK_SEALED_OVERHEAD || sealed.len - SK_SEALED_OVERHEAD > SK_AUDIT_RECORD_MAX) {
        return 1;
    }
    *len = sealed.len - SK_SEALED_OVERHEAD;
    sk_frame_put_record(frame, header);
    int r = sk_sealer_open(s->sealer, sk_sealed_leaf(sealed), sk_slice(header, sizeof(header)), sk_slice_from(sealed, SK_TREE_HASH), out);
    r = r ? r : make_leaf(s, frame->seq, sk_slice(out, *len), leaf);
    return r ? r : memcmp(leaf, sk_sealed_leaf(sealed), SK_TREE_HASH) != 0;
}
