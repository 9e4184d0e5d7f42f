/* Checkpoints. Runs in the signer, and in whatever verifies what it signed. */
#include "journal/checkpoint.h"

#include "base/text.h"
#include "crypto/digest.h"

#include <endian.h>
#include <stdio.h>

#define MAGIC SK_LIT("SKCHKPT2")

size_t sk_checkpoint_node(const uint8_t node[SK_ID_SIZE], char out[SK_CHECKPOINT_ORIGIN])
{
    char hex[2 * SK_ID_SIZE + 1];
    sk_hex_encode(node, SK_ID_SIZE, hex);
    return (size_t)snprintf(out, SK_CHECKPOINT_ORIGIN, "sekisho/%s", hex);
}

size_t sk_checkpoint_origin(const struct sk_checkpoint *c, char out[SK_CHECKPOINT_ORIGIN])
{
    char epoch[2 * SK_ID_SIZE + 1], tenant[2 * SK_ID_SIZE + 1];
    size_t len = sk_checkpoint_node(c->node, out);
    sk_hex_encode(c->epoch, SK_ID_SIZE, epoch);
    sk_hex_encode(c->tenant, SK_ID_SIZE, tenant);
    return len + (size_t)snprintf(out + len, SK_CHECKPOINT_ORIGIN - len, "/%s/%s", epoch, tenant);
}

int sk_checkpoint_put(const struct sk_checkpoint *c, struct sk_buf *out)
{
    char origin[SK_CHECKPOINT_ORIGIN], root[SK_BASE64_SIZE(SK_TREE_HASH)], time[32];
    (void)sk_checkpoint_origin(c, origin);
    (void)sk_base64_encode(sk_slice(c->root, SK_TREE_HASH), root);
    sk_time_text(c->wall, time);
    int r = sk_buf_printf(out, "%s\n%llu\n%s\ntime %s\n", origin, (unsigned long long)c->size, root, time);
    if (r || c->clock_error == UINT64_MAX) {
        return r ? r : sk_buf_put(out, SK_LIT("clock unknown\n"));
    }
    return sk_buf_printf(out, "clock %s %llu us\n", c->clock_set ? "set" : "free", (unsigned long long)c->clock_error);
}

/* What stands behind `before` in the next line. */
static struct sk_slice next_line(struct sk_slice *text, struct sk_slice before)
{
    struct sk_slice line = sk_slice_split(text, '\n');
    return sk_slice_starts(line, before) ? sk_slice_from(line, before.len) : SK_SLICE_NULL;
}

static int get_ids(struct sk_slice line, struct sk_checkpoint *c)
{
    uint8_t *const ids[] = {c->node, c->epoch, c->tenant};
    int r = 0;
    for (size_t i = 0; r == 0 && i < SK_COUNT(ids); i++) {
        struct sk_slice id = i + 1 < SK_COUNT(ids) ? sk_slice_split(&line, '/') : line;
        r = id.len != 2UL * SK_ID_SIZE || sk_hex_decode(id, ids[i], SK_ID_SIZE);
    }
    return r;
}

int sk_checkpoint_get(struct sk_slice text, struct sk_checkpoint *c)
{
    struct sk_slice rest = text;
    size_t len = 0;
    int r = text.len > SK_CHECKPOINT_TEXT || get_ids(next_line(&rest, SK_LIT("sekisho/")), c) || sk_slice_u64(next_line(&rest, SK_LIT("")), UINT64_MAX, &c->size) ||
            sk_base64_decode(next_line(&rest, SK_LIT("")), c->root, SK_TREE_HASH, &len) || len != SK_TREE_HASH || sk_time_parse(next_line(&rest, SK_LIT("time ")), &c->wall);
    struct sk_slice error = next_line(&rest, SK_LIT("clock ")), state = sk_slice_split(&error, ' '), number = sk_slice_split(&error, ' ');
    bool unknown = sk_slice_eq(state, SK_LIT("unknown"));
    c->clock_set = sk_slice_eq(state, SK_LIT("set"));
    c->clock_error = UINT64_MAX;
    if (r || (!unknown && sk_slice_u64(number, UINT64_MAX - 1, &c->clock_error))) {
        return 1;
    }
    /* What is written again and is the same has no other form. */
    struct sk_buf again SK_CLEANUP(sk_buf_free) = SK_BUF_INIT(SK_CHECKPOINT_TEXT);
    return sk_checkpoint_put(c, &again) || !sk_slice_eq(sk_buf_peek(&again), text);
}

/* ---- the file ---- */

static void put32(uint8_t *to, uint32_t value)
{
    value = htole32(value);
    memcpy(to, &value, sizeof(value));
}

static uint32_t get32(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof(value));
    return le32toh(value);
}

/* Each ends with the hash of what is before. */
static bool is_whole(const uint8_t *bytes, size_t size)
{
    uint8_t hash[SK_SHA256_SIZE];
    sk_digest_sha256(sk_slice(bytes, size - sizeof(hash)), hash);
    return memcmp(hash, bytes + size - sizeof(hash), sizeof(hash)) == 0;
}

static void close_with_hash(uint8_t *bytes, size_t size)
{
    sk_digest_sha256(sk_slice(bytes, size - SK_SHA256_SIZE), bytes + size - SK_SHA256_SIZE);
}

void sk_checkpoints_put_header(const uint8_t node[SK_ID_SIZE], const uint8_t epoch[SK_ID_SIZE], uint8_t out[SK_CHECKPOINTS_HEADER])
{
    memset(out, 0, SK_CHECKPOINTS_HEADER);
    memcpy(out, MAGIC.data, MAGIC.len);
    memcpy(out + 8, node, SK_ID_SIZE);
    memcpy(out + 24, epoch, SK_ID_SIZE);
    close_with_hash(out, SK_CHECKPOINTS_HEADER);
}

int sk_checkpoints_get_header(const uint8_t in[SK_CHECKPOINTS_HEADER], uint8_t node[SK_ID_SIZE], uint8_t epoch[SK_ID_SIZE])
{
    memcpy(node, in + 8, SK_ID_SIZE);
    memcpy(epoch, in + 24, SK_ID_SIZE);
    return memcmp(in, MAGIC.data, MAGIC.len) != 0 || !is_whole(in, SK_CHECKPOINTS_HEADER);
}

void sk_checkpoints_put(const struct sk_checkpoint_half *half, uint8_t out[SK_CHECKPOINTS_HALF])
{
    uint64_t turn = htole64(half->turn);
    memset(out, 0, SK_CHECKPOINTS_HALF);
    memcpy(out, &turn, sizeof(turn));
    put32(out + 8, (uint32_t)half->note.len);
    put32(out + 12, (uint32_t)half->peaks.len);
    memcpy(out + 16, half->note.data, half->note.len);
    if (half->peaks.len) {
        memcpy(out + 16 + SK_CHECKPOINTS_NOTE, half->peaks.data, half->peaks.len);
    }
    close_with_hash(out, SK_CHECKPOINTS_HALF);
}

static bool get_half(const uint8_t *in, struct sk_checkpoint_half *half)
{
    uint64_t turn;
    uint32_t note = get32(in + 8), peaks = get32(in + 12);
    memcpy(&turn, in, sizeof(turn));
    *half = (struct sk_checkpoint_half){.turn = le64toh(turn)};
    if (!is_whole(in, SK_CHECKPOINTS_HALF) || note > SK_CHECKPOINTS_NOTE || peaks > SK_CHECKPOINTS_PEAKS * SK_TREE_HASH || half->turn == 0) {
        return false;
    }
    half->note = sk_slice(in + 16, note);
    half->peaks = sk_slice(in + 16 + SK_CHECKPOINTS_NOTE, peaks);
    return true;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

int sk_checkpoints_get(const uint8_t in[SK_CHECKPOINTS_BLOCK], struct sk_checkpoint_half *half)
{
    struct sk_checkpoint_half halves[2];
    bool good[2];
    for (size_t i = 0; i < 2; i++) {
        good[i] = get_half(in + i * SK_CHECKPOINTS_HALF, &halves[i]);
    }
    if (!good[0] && !good[1]) {
        return is_zero(in + SK_CHECKPOINTS_HALF, SK_CHECKPOINTS_HALF) ? 2 : 1; /* the first half is the first that is written */
    }
    *half = halves[good[1] && (!good[0] || halves[1].turn > halves[0].turn)];
    return 0;
}
